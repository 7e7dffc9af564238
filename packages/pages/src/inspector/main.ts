import { render } from 'preact';
import { Connection, takeToken } from '../parts/connection.ts';
import { html } from '../parts/html.ts';
import { Page } from './page.ts';

const place = document.querySelector('#page');
// The link of the next start, in the tab of this one.
addEventListener('hashchange', () => location.reload());
if (place) render(html`<${Page} connection=${new Connection(takeToken())} />`, place);
