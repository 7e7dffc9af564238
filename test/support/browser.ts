import { type Browser, chromium, type Page } from 'playwright-core';
import type { TestContext } from 'vitest';
import { findProgram, requirePrograms } from './program.ts';

/** For whatever a page is waited for: the browser has many processes, and the tests have few cores. */
const TIMEOUT_MS = 30_000;

/** Names of which this machine knows nothing are at loopback for the browser, as `*.localhost` is anyway. */
const LOOPBACK_NAMES = '*.example.test';

/** Debian's Chromium without a window, started for the first page and shared by all. */
export class TestBrowser implements AsyncDisposable {
  #browser: Promise<Browser> | undefined;

  /** An empty page with no cookies yet. Skips the running test if there is no Chromium. */
  async newPage(context: TestContext): Promise<Page> {
    const program = findProgram('chromium') ?? findProgram('google-chrome');
    if (program === undefined) requirePrograms(context, 'chromium');
    this.#browser ??= chromium.launch({
      executablePath: program ?? '',
      // As root it runs only without its sandbox. Proxies of whoever runs the tests are none of its business.
      args: ['--no-sandbox', '--no-proxy-server', `--host-resolver-rules=MAP ${LOOPBACK_NAMES} 127.0.0.1`],
      timeout: TIMEOUT_MS,
    });
    const browser = await this.#browser;
    const page = await browser.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    context.onTestFinished(() => page.close());
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#browser)?.close();
  }
}
