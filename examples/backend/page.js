'use strict';

const element = id => document.getElementById(id);
const nothing = '–';

let linkToken = ''; // kept in memory only
let expires = 0; // in milliseconds since 1970
let ended = ''; // "expired" or "revoked", if the page knows

// A Problem is an error with a message for the user.
class Problem extends Error {}

// --- The sections of the page.

// say shows a message next to a button, in place of all older messages.
function say(button, text, kind = '') {
  for (const old of document.querySelectorAll('.message')) [old.textContent, old.className] = ['', 'message'];
  const message = button.closest('.action').querySelector('.message');
  [message.textContent, message.className] = [text, `message ${kind}`];
}

function showToken(token = '', expiresAt = 0) {
  [linkToken, expires, ended] = [token, expiresAt, ''];
  element('token').textContent = token ? `••••${token.slice(-4)}` : nothing;
  showExpiry();
}

// showExpiry shows the time left, such as 14:59.
function showExpiry() {
  const seconds = Math.ceil((expires - Date.now()) / 1000);
  if (linkToken && seconds <= 0) ended ||= 'expired';
  const left = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  element('expiry').textContent = ended || (linkToken ? left : nothing);
  element('expiry').classList.toggle('over', ended !== '');
}

function showUsage(usage = {}) {
  for (const name of ['customerId', 'workspaceId', 'requests', 'errors']) {
    element(name).textContent = (usage[name] ?? nothing).toLocaleString('en');
  }
}

// --- The diagram.

const maxClicks = 3; // the number of clicks that are shown
let click; // the list of arrows of the latest click

function startClick(name) {
  const heading = document.createElement('h3');
  heading.textContent = name;
  click = document.createElement('ol');
  const item = document.createElement('li');
  item.append(heading, click);
  element('calls').prepend(item);
  [...element('calls').children].slice(maxClicks).forEach(old => old.remove());
  element('no-calls').hidden = true;
}

// arrow creates a line of the diagram. route is for screen readers, which can't see the arrow.
function arrow(route, kind, text) {
  const item = document.createElement('li');
  item.className = `arrow ${kind}`;
  const label = document.createElement('span');
  label.className = 'for-screen-readers';
  label.textContent = `${route}: `;
  const shown = document.createElement('span');
  shown.textContent = text;
  item.append(label, shown);
  return item;
}

const milliseconds = duration => (duration < 10 ? duration.toFixed(1) : Math.round(duration)) + ' ms';

// upstream returns the arrows between the backend and Oneloop, which the Server-Timing header lists.
function upstream(response) {
  const lines = [];
  let pause;
  for (const [, operation, status, duration, wait] of (response.headers.get('Server-Timing') ?? '').matchAll(
    /attempt;desc="(\w+) (\d+)";dur=([\d.]+), wait;dur=(\d+)/g)) {
    if (pause) lines.push(pause); // only a retry shows that the backend waited
    const invalid = status === '200' && operation === 'validateLinkToken' && !response.ok;
    lines.push(arrow('Backend to Oneloop', 'inner', operation[0].toUpperCase() + operation.slice(1)));
    lines.push(arrow('Oneloop to backend', `inner back ${status === '200' && !invalid ? 'good' : 'bad'}`,
      `${status === '0' ? 'no response' : status} · ${milliseconds(Number(duration))}${invalid ? ' · not valid' : ''}`));
    pause = document.createElement('li');
    pause.className = 'pause';
    pause.textContent = `waits ${(wait / 1000).toFixed(1)} s, then retries`;
  }
  return lines;
}

// call sends a request to the backend and shows its progress.
async function call(method, path, headers = {}) {
  const back = arrow('Backend to browser', 'back', 'waiting');
  click.append(arrow('Browser to backend', '', `${method} /${path}`), back);
  const start = performance.now();
  const timer = setInterval(() => {
    back.lastChild.textContent = `waiting, ${((performance.now() - start) / 1000).toFixed(1)} s`;
  }, 100);
  const response = await fetch(path, { method, headers }).catch(() => null);
  clearInterval(timer);
  if (!response) {
    back.classList.add('bad');
    back.lastChild.textContent = 'no response';
    throw new Problem('The backend does not respond.');
  }
  back.before(...upstream(response));
  back.classList.add(response.ok ? 'good' : 'bad');
  back.lastChild.textContent = `${response.status} · ${milliseconds(performance.now() - start)}`;
  return response;
}

// check throws a Problem unless the response is a success.
function check(response, unauthorized) {
  if (response.ok) return;
  if (response.status === 401) throw new Problem(unauthorized);
  if (response.status === 503) {
    const seconds = Number(response.headers.get('Retry-After')) || 5;
    throw new Problem(`Oneloop is not available right now. Try again in ${seconds} second${seconds === 1 ? '' : 's'}.`);
  }
  throw new Problem('The backend failed. See its log.');
}

// --- The actions of the buttons. Each returns a message.

async function signOut() {
  check(await call('POST', 'sign-out'));
  showToken();
  showUsage();
  [element('signed-in').hidden, element('sign-out').hidden, element('signed-out').hidden] = [true, true, false];
  element('signed-out').querySelector('a').focus();
  return '';
}

async function getLinkToken() {
  showToken();
  showUsage();
  const response = await call('POST', 'link-token');
  check(response, 'You are not signed in.');
  const { token, expiresAt } = await response.json();
  showToken(token, Date.parse(expiresAt));
  return 'You have a link token.';
}

async function getUsage() {
  showUsage();
  const response = await call('GET', 'usage', linkToken ? { Authorization: `Bearer ${linkToken}` } : {});
  check(response, linkToken ? `The link token ${ended === 'expired' ? 'has expired' : 'is not valid'}. Get a new one.` : 'Get a link token first.');
  showUsage(await response.json());
  return 'The link token is valid.';
}

// control changes the fake API. The diagram does not show it.
async function control(name, token = '') {
  const response = await fetch(`fake/${name}`, { method: 'POST', body: new URLSearchParams({ token }) }).catch(() => null);
  if (!response?.ok) throw new Problem('The backend does not respond.');
}

const endToken = (name, state) => async () => {
  if (!linkToken) throw new Problem('Get a link token first.');
  await control(name, linkToken);
  ended = state;
  showExpiry();
  return `The link token ${state === 'expired' ? 'has expired' : 'was revoked'}.`;
};

const setOneloop = (name, message) => async () => {
  await control('works');
  if (name !== 'works') await control(name);
  return message;
};

function onClick(id, action, shown = true) {
  const button = element(id);
  button?.addEventListener('click', async event => {
    if (button.ariaDisabled === 'true') {
      event.preventDefault();
      return;
    }
    button.ariaDisabled = 'true'; // keeps the focus, unlike disabled
    say(button, 'Waiting', 'waiting');
    if (shown) startClick(button.textContent);
    try {
      say(button, await action(), 'good');
    } catch (error) {
      say(button, error instanceof Problem ? error.message : 'Something went wrong on this page.', 'bad');
      if (!(error instanceof Problem)) console.error(error);
    }
    button.ariaDisabled = null;
  });
}

onClick('sign-out', signOut);
onClick('get', getLinkToken);
onClick('usage', getUsage);
onClick('revoke', endToken('revoke', 'revoked'), false);
onClick('expire', endToken('expire', 'expired'), false);
onClick('works', setOneloop('works', 'Oneloop works again.'), false);
onClick('outage', setOneloop('outage', 'Oneloop is down: it responds with 503.'), false);
onClick('slow', setOneloop('slow', 'Oneloop is slow: it responds after 2 seconds.'), false);
onClick('wrong-key', setOneloop('wrong-key', 'Oneloop rejects the SDK key: it responds with 401.'), false);
if (element('fake')) control('works').catch(() => {});
setInterval(showExpiry, 1000);
