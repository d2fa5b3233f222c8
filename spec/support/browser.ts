import { statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import type { Options } from 'pusher-js';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts Chromium without a window. Where there is none this fails and says how to get one: nothing is skipped. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: flags });
}

function chromiumPath(): string {
  const given = process.env['SPILLWAY_CHROMIUM'];
  if (given !== undefined && given !== '') return given;
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = folders.map((folder) => join(folder, 'chromium')).find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    'Chromium was not found: install it with `apt-get install chromium`, or set SPILLWAY_CHROMIUM to its path.',
  );
}

function isExecutable(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true && (stats.mode & 0o111) !== 0;
}

/** A page of the application (`page.html`), with what its console said. */
export class StockPage {
  /** Errors on the console and errors nobody caught. */
  readonly errors: string[] = [];
  readonly #context: BrowserContext;
  readonly #call: (script: string) => Promise<unknown>;

  private constructor(context: BrowserContext, call: (script: string) => Promise<unknown>) {
    this.#context = context;
    this.#call = call;
  }

  /** Opens the page in a context of its own, as another visitor would. */
  static async open(browser: Browser, url: string): Promise<StockPage> {
    const context = await browser.newContext();
    const page = await context.newPage();
    const stockPage = new StockPage(context, (script) => page.evaluate(script));
    page.on('console', (message) => {
      if (message.type() === 'error') stockPage.errors.push(message.text());
    });
    page.on('pageerror', (error) => stockPage.errors.push(error.message));
    await page.goto(url);
    return stockPage;
  }

  /** Makes the client, which connects. */
  async connect(key: string, options: Options): Promise<void> {
    await this.#stock('open', { key, options });
  }

  async disconnect(): Promise<void> {
    await this.#stock('disconnect');
  }

  async state(): Promise<unknown> {
    return this.#stock('state');
  }

  async socketId(): Promise<string> {
    return String(await this.#stock('socketId'));
  }

  /** Subscribes and waits for the success, which it answers. */
  async subscribe(channel: string): Promise<unknown> {
    await this.ask(channel);
    return this.next(channel, 'pusher:subscription_succeeded');
  }

  /** Subscribes; the answer is yet to come. */
  async ask(channel: string): Promise<void> {
    await this.#stock('subscribe', channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#stock('unsubscribe', channel);
  }

  async trigger(channel: string, event: string, data: unknown): Promise<void> {
    await this.#stock('trigger', channel, event, data);
  }

  /** Signs in and waits until what is sent to the user arrives. */
  async signin(): Promise<void> {
    await this.#stock('signin');
    await this.next('user', 'ready');
  }

  async members(channel: string): Promise<unknown> {
    return this.#stock('members', channel);
  }

  /** The data of the next event of that name from a channel, or from `connection`, `watchlist` or `user`; users are `ready` as well. */
  async next(source: string, event: string): Promise<unknown> {
    return this.#stock('next', source, event);
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  #stock(method: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#call(`stock.${method}(...${JSON.stringify(args)})`);
  }
}
