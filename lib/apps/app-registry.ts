import type { AppConfig } from '../../config/schema.ts';
import { type App, toApp } from './app.ts';

/** The apps of this server, found by id (HTTP API) or by public key (connections). */
export class AppRegistry {
  readonly #byId = new Map<string, App>();
  readonly #byKey = new Map<string, App>();

  constructor(configs: readonly AppConfig[]) {
    for (const config of configs) {
      const app = toApp(config);
      this.#byId.set(app.id, app);
      for (const key of app.signingKeys.keys()) this.#byKey.set(key, app);
    }
  }

  byId(id: string): App | undefined {
    return this.#byId.get(id);
  }

  byKey(key: string): App | undefined {
    return this.#byKey.get(key);
  }

  all(): IterableIterator<App> {
    return this.#byId.values();
  }
}
