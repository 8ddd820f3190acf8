import { html, type Html } from './html.ts';

/** The frame of every page: head, bar with the sign-in, main, footer. */
export function layout(user: string | null, main: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Simple Bookstore App</title>
        <link rel="icon" href="/static/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/static/bookinfo.css" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="bar">
          <a class="brand" href="/"><img src="/static/icon.svg" alt="" width="28" height="28" /> Bookinfo</a>
          ${user === null ? signInForm() : signedIn(user)}
        </header>
        <main id="main">${main}</main>
        <footer>Four small services, one page. Reload it to ask them again.</footer>
      </body>
    </html>`;
}

function signInForm(): Html {
  return html`<details class="sign-in">
    <summary class="button">Sign in</summary>
    <form method="post" action="/login">
      <label for="username">User name</label>
      <input id="username" name="username" required maxlength="64" autocomplete="username" autocapitalize="none" />
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password" />
      <p class="hint">Any password will do.</p>
      <button class="button" type="submit">Sign in</button>
    </form>
  </details>`;
}

function signedIn(user: string): Html {
  return html`<div class="signed-in">
    <span class="avatar" aria-hidden="true">${user.slice(0, 1).toUpperCase()}</span>
    <span>Signed in as <strong>${user}</strong></span>
    <a class="button quiet" href="/logout">Sign out</a>
  </div>`;
}
