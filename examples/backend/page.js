'use strict';

const element = id => document.getElementById(id);
const nothing = '–';
let linkToken = ''; // kept in memory only
let countdown = 0;

function say(text, isError = false) {
  element('status').textContent = text;
  element('status').classList.toggle('error', isError);
}

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error('The backend does not answer.');
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const wait = response.headers.get('Retry-After');
  throw new Error(`${response.status}: ${body.error ?? response.statusText}` + (wait ? `; try again in ${wait} s` : ''));
}

function showExpiry(expiresAt) {
  const seconds = Math.max(0, Math.ceil((expiresAt - Date.now()) / 1000));
  element('expiry').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  if (seconds > 0) return;
  clearInterval(countdown);
  say('The link token has expired.', true);
}

async function getLinkToken() {
  const answer = await ask('link-token', { method: 'POST' });
  linkToken = answer.token;
  element('token').textContent = '••••' + (linkToken.length < 16 ? '' : linkToken.slice(-4));
  const expiresAt = Date.parse(answer.expiresAt);
  say('Got a link token.');
  clearInterval(countdown);
  countdown = setInterval(showExpiry, 1000, expiresAt);
  showExpiry(expiresAt);
}

async function whoAmI() {
  showIdentity({});
  const headers = linkToken ? { Authorization: `Bearer ${linkToken}` } : {};
  showIdentity(await ask('whoami', { headers, credentials: 'omit' }));
  say('The link token is valid.');
}

function showIdentity({ workspaceId = nothing, customerId = nothing }) {
  element('workspace').textContent = workspaceId;
  element('customer').textContent = customerId;
}

function onClick(button, action) {
  button.addEventListener('click', async () => {
    if (button.ariaDisabled === 'true') return;
    button.ariaDisabled = 'true'; // keeps the focus, unlike disabled
    say(''); // so that the same text is announced again
    await action().catch(error => say(error.message, true));
    button.ariaDisabled = null;
  });
}

onClick(element('get'), getLinkToken);
onClick(element('who'), whoAmI);
