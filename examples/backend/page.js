'use strict';

const element = id => document.getElementById(id);
const nothing = '–';
const fake = element('fake') !== null;

let linkToken = ''; // kept in memory only
let tokenExpires = 0; // in milliseconds since 1970
let tokenState = ''; // "expired" or "revoked", if the page knows
let sessionEnds = 0; // in milliseconds since 1970; 0 if there is no session

// A Problem is an error with a message for the user.
class Problem extends Error {}

// --- The sections of the page.

function say(button, text, kind = '') {
  const message = button.closest('.action').querySelector('.message');
  message.textContent = text;
  message.className = `message ${kind}`;
}

function showToken(token, expires) {
  [linkToken, tokenExpires, tokenState] = [token, expires, ''];
  element('token').textContent = `••••${token.slice(-4)}`;
  showTimes();
}

function endToken(state, text) {
  tokenState = state;
  say(element('get'), text, 'bad');
  showTimes();
}

function showIdentity({ customerId = nothing, workspaceId = nothing, endsAt = '' } = {}) {
  element('customer').textContent = customerId;
  element('workspace').textContent = workspaceId;
  sessionEnds = endsAt ? Date.parse(endsAt) : 0;
  showTimes();
}

// clock returns the time until end, such as 14:59 or 1:00:00.
function clock(end) {
  const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
  const two = number => String(number).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function showTimes() {
  const now = Date.now();
  if (tokenState === '' && linkToken && tokenExpires <= now) endToken('expired', 'The link token has expired.');
  element('token-expiry').textContent = tokenState || (linkToken ? clock(tokenExpires) : nothing);
  element('token-expiry').classList.toggle('over', tokenState !== '');
  if (sessionEnds > 0 && sessionEnds <= now) {
    showIdentity();
    say(element('who'), 'The session has ended.', 'bad');
  }
  element('session-expiry').textContent = sessionEnds > 0 ? clock(sessionEnds) : nothing;
}

// --- The diagram.

const maxClicks = 4; // the number of clicks that are shown
let click; // the list of messages of the latest click

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

// message creates a line of the diagram. route is for screen readers, which can't see the arrow.
function message(route, kind, text) {
  const item = document.createElement('li');
  item.className = `message-sent ${kind}`;
  const label = document.createElement('span');
  label.className = 'for-screen-readers';
  label.textContent = `${route}: `;
  const shown = document.createElement('span');
  shown.textContent = text;
  item.append(label, shown);
  return item;
}

const milliseconds = duration => (duration < 10 ? duration.toFixed(1) : Math.round(duration)) + ' ms';
const requests = {
  generateLinkToken: 'POST /api/v1/link-token',
  validateLinkToken: 'GET /api/v1/link-token/{token}',
};

// upstream returns the messages between the backend and Oneloop, which the Server-Timing header lists.
function upstream(response) {
  const lines = [];
  for (const [, operation, status, duration, wait] of (response.headers.get('Server-Timing') ?? '').matchAll(
    /attempt;desc="(\w+) (\d+)";dur=([\d.]+)|wait;dur=(\d+)/g)) {
    if (wait !== undefined) {
      const pause = document.createElement('li');
      pause.className = 'pause';
      pause.textContent = `waits ${(wait / 1000).toFixed(1)} s, then tries again`;
      lines.push(pause);
      continue;
    }
    const good = status[0] === '2';
    const verdict = good && operation === 'validateLinkToken' ? (response.ok ? ' · valid' : ' · not valid') : '';
    lines.push(message('Backend to Oneloop', 'inner', requests[operation]));
    lines.push(message('Oneloop to backend', `inner back ${good && verdict !== ' · not valid' ? 'good' : 'bad'}`,
      `${status === '0' ? 'no response' : status} · ${milliseconds(Number(duration))}${verdict}`));
  }
  return lines;
}

const meanings = {
  'POST link-token 200': 'the link token',
  'POST session 204': 'a session cookie',
  'POST session 401': 'not admitted',
  'GET whoami 200': 'the identity',
  'GET whoami 401': 'no session',
  'DELETE session 204': 'session ended',
};

// call sends a request to the backend and shows its progress.
async function call(method, path, headers = {}) {
  const list = click;
  const back = message('Backend to browser', 'back', 'waiting');
  list.append(message('Browser to backend', '', `${method} /${path}`), back);
  const start = performance.now();
  const timer = setInterval(() => {
    back.lastChild.textContent = `waiting, ${((performance.now() - start) / 1000).toFixed(1)} s`;
  }, 100);
  let response;
  try {
    response = await fetch(path, { method, headers });
  } catch {
    back.classList.add('bad');
    back.lastChild.textContent = 'no response';
    throw new Problem('The backend does not respond.');
  } finally {
    clearInterval(timer);
  }
  const meaning = meanings[`${method} ${path} ${response.status}`];
  back.before(...upstream(response));
  if (meaning !== 'no session') back.classList.add(response.ok ? 'good' : 'bad'); // having no session is not an error
  back.lastChild.textContent = `${response.status} · ${milliseconds(performance.now() - start)}${meaning ? ` · ${meaning}` : ''}`;
  return response;
}

// check throws a Problem unless the response is a success.
function check(response, refused) {
  if (response.ok) return;
  if (response.status === 401) throw new Problem(refused);
  if (response.status === 503) {
    const seconds = Number(response.headers.get('Retry-After')) || 5;
    throw new Problem(`Oneloop is not available right now. Try again in ${seconds} second${seconds === 1 ? '' : 's'}.`);
  }
  throw new Problem('The backend failed. See its log.');
}

// --- The actions of the buttons. Each returns a message.

async function getLinkToken() {
  const response = await call('POST', 'link-token');
  check(response, 'You are no longer signed in. Reload the page.');
  const { token, expiresAt } = await response.json();
  showToken(token, Date.parse(expiresAt));
  return 'You have a link token.';
}

async function startSession() {
  const response = await call('POST', 'session', { Authorization: `Bearer ${linkToken}` });
  check(response, `The link token ${tokenState === 'expired' ? 'has expired' : 'is not valid'}. Get a new one.`);
}

async function whoAmI() {
  showIdentity();
  let response = await call('GET', 'whoami');
  const isNew = response.status === 401 && linkToken !== '';
  if (isNew) {
    await startSession();
    response = await call('GET', 'whoami');
  }
  check(response, 'There is no session. Get a link token first.');
  showIdentity(await response.json());
  return isNew ? 'The link token is valid. You now have a session.' : 'The session identifies you. Oneloop was not called.';
}

async function endSession() {
  showIdentity();
  check(await call('DELETE', 'session'));
  return 'The session has ended.';
}

// control calls a control endpoint of the fake API. The diagram does not show it.
async function control(method, path, body) {
  const response = await fetch(`_fake/${path}`, { method, body: body && JSON.stringify(body) }).catch(() => {
    throw new Problem('The backend does not respond.');
  });
  if (response.status === 404) throw new Problem('The fake API does not know this link token. Get a new one.');
  check(response);
}

function needToken() {
  if (!linkToken) throw new Problem('There is no link token. Get one first.');
}

async function revoke() {
  needToken();
  await control('POST', 'revoke', { token: linkToken });
  endToken('revoked', 'The link token was revoked.');
  return 'Done. An existing session continues, but no new one can start.';
}

async function expire() {
  needToken();
  await control('POST', 'expire', { token: linkToken });
  endToken('expired', 'The link token has expired.');
  return 'Done. An existing session continues, but no new one can start.';
}

async function setOutage() {
  const outage = element('outage');
  try {
    await control('DELETE', 'faults');
    if (outage.checked) await control('POST', 'faults', { kind: 'status', status: 503, always: true });
  } catch (problem) {
    outage.checked = !outage.checked;
    throw problem;
  }
  return outage.checked ? 'Oneloop is down. Existing sessions continue.' : 'Oneloop is back.';
}

function onClick(id, action, shown = true) {
  const button = element(id);
  button.addEventListener('click', async event => {
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

onClick('get', getLinkToken);
onClick('who', whoAmI);
onClick('end', endSession);
if (fake) {
  onClick('revoke', revoke, false);
  onClick('expire', expire, false);
  onClick('outage', setOutage, false);
}
setInterval(showTimes, 1000);
