import type { LoadedConfig } from '../../config/load.ts';
import { valueAt } from '../../config/raw.ts';
import { redact } from '../../config/redact.ts';
import { type AppConfig, type Config, configSchema } from '../../config/schema.ts';
import { plainSettings } from '../../config/settings.ts';

/** A configuration as a person wants to check it: where it listens, for whom, what is special. Secrets are not shown. */
export function summary({ config, warnings, translations }: LoadedConfig): string {
  return [
    ...listeners(config),
    ...titled('Apps', config.apps.map(appLine)),
    ...titled('Not as the defaults', changedSettings(config)),
    ...titled(
      'Warnings',
      warnings.map(({ message }) => message),
    ),
    ...titled('From soketi', translations.map(translationLine)),
    '',
    'The configuration can be started.',
    '',
  ].join('\n');
}

function listeners({ server, admin, redis, preset }: Config): readonly string[] {
  const scheme = server.tls === undefined ? 'ws' : 'wss';
  const access = admin.token === undefined ? 'no token: callers on this machine only' : 'with a token';
  return [
    `Clients  ${scheme}://${hostText(server.host)}:${server.port}${server.path}`,
    `Admin    http://${hostText(admin.host)}:${admin.port} (${access})`,
    `State    ${redis === undefined ? 'in memory' : 'redis'}`,
    `Preset   ${preset}`,
  ];
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function appLine(app: AppConfig): string {
  const traits = [
    app.enabled ? undefined : 'disabled',
    app.extraKeys.length > 0 ? `${app.extraKeys.length} extra keys` : undefined,
    app.maxConnections > 0 ? `at most ${app.maxConnections} connections` : undefined,
    app.clientEvents.enabled ? 'client events' : undefined,
    app.subscriptionCount ? 'subscription counts' : undefined,
    app.tlsOnly ? 'TLS only' : undefined,
    app.webhooks.length > 0 ? `${app.webhooks.length} webhooks` : undefined,
  ].filter((trait) => trait !== undefined);
  const label = app.name === undefined ? app.id : `${app.id} (${app.name})`;
  return `${label}: ${[`key ${app.key}`, ...traits].join(', ')}`;
}

function changedSettings(config: Config): readonly string[] {
  const defaults: unknown = configSchema.parse({});
  const shown = redact(config);
  return plainSettings().flatMap(({ key, node }) => {
    const path = key.split('.');
    const value = valueAt(config, path);
    if (key === 'apps' || value === undefined) return [];
    if (isSame(value, valueAt(defaults, path) ?? node.default)) return [];
    return [`${key} = ${JSON.stringify(valueAt(shown, path))}`];
  });
}

function translationLine({ from, to, note }: LoadedConfig['translations'][number]): string {
  const became = to === undefined ? `${from}: no counterpart` : `${from}: became ${to}`;
  return note === undefined ? became : `${became}; ${note}`;
}

function hostText(host: string): string {
  return host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
