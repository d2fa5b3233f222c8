import { type Layer, merge, objectWith, type RawObject, valueAt } from '../raw.ts';
import { pathText } from '../settings.ts';
import { isSharedAppOption, translateApps } from './apps.ts';
import { gatherSoketiOptions, isSoketiFile, type SoketiOptions } from './options.ts';
import { isRedisOption, translateRedis } from './redis.ts';
import { ruleFor, serverRules } from './rules.ts';
import { type SoketiTranslation, Translator } from './translator.ts';

export type { SoketiTranslation } from './translator.ts';

/** What soketi's file and variables say, in our words. */
export interface SoketiReading {
  /** The configuration file is one of soketi's, so it is not read as ours. */
  readonly isFile: boolean;
  readonly layers: readonly Layer[];
  readonly problems: readonly string[];
  readonly warnings: readonly { readonly code: 'config.soketi'; readonly message: string }[];
  readonly translations: readonly SoketiTranslation[];
}

/** Translates soketi's configuration file (told by its shape) and its SOKETI_ environment variables. */
export function readSoketi(
  fileValues: RawObject,
  env: NodeJS.ProcessEnv,
  file: string | undefined,
): SoketiReading {
  const isFile = isSoketiFile(fileValues);
  const given = gatherSoketiOptions(isFile ? fileValues : {}, env);
  const translator = new Translator();
  const translated = translate(given, translator);
  const values = merge(translated, impliedHost(translated, isFile ? {} : fileValues, translator));
  const { translations } = translator;
  const layer: Layer = {
    values,
    sourceOf: (path) => sourceName(translator.originOf(pathText(path)), file),
    ...(given.singleApp !== undefined && { singleApp: given.singleApp }),
  };
  return {
    isFile,
    layers: translations.length === 0 ? [] : [layer],
    problems: databaseProblems(given),
    warnings: warningsOf(translations),
    translations,
  };
}

function translate(given: SoketiOptions, translator: Translator): RawObject {
  let values: RawObject = {};
  for (const [path, { value, from }] of given.options) {
    if (isSharedAppOption(path) || isRedisOption(path) || isArrayDriver(path, value)) continue;
    const rule = ruleFor(serverRules, path);
    if (rule === undefined || 'none' in rule) translator.hasNone(from, rule?.none);
    else {
      translator.became(from, rule.to, rule.note);
      values = merge(values, objectWith(rule.to.split('.'), rule.convert?.(value) ?? value));
    }
  }
  const apps = translateApps(given, translator);
  const redis = translateRedis(given, translator);
  for (const name of given.unknown) translator.hasNone(name);
  return merge(values, { ...(apps.length > 0 && { apps }), ...(redis !== undefined && { redis }) });
}

/** Apps in the configuration are the one way we have, so nothing needs to be said about it. */
function isArrayDriver(path: string, value: unknown): boolean {
  return path === 'appManager.driver' && value === 'array';
}

/** soketi listens on every interface unless told otherwise, and we on loopback. */
function impliedHost(values: RawObject, fileValues: RawObject, translator: Translator): RawObject {
  const isGiven = [values, fileValues].some((given) => valueAt(given, ['server', 'host']) !== undefined);
  if (isGiven || translator.translations.length === 0) return {};
  translator.became('host (not given)', 'server.host', 'soketi listens on 0.0.0.0 unless told otherwise');
  return { server: { host: '0.0.0.0' } };
}

function databaseProblems({ options }: SoketiOptions): readonly string[] {
  const driver = options.get('appManager.driver');
  if (driver === undefined || driver.value === 'array') return [];
  return [
    `${driver.from}: apps are read from the configuration only, not from a database: list them under apps`,
  ];
}

function warningsOf(translations: readonly SoketiTranslation[]): SoketiReading['warnings'] {
  const lost = translations.filter(({ to }) => to === undefined).map(({ from }) => from);
  if (lost.length === 0) return [];
  const message = `these soketi settings have no counterpart and are ignored: ${lost.join(', ')} (spillway check says why)`;
  return [{ code: 'config.soketi', message }];
}

function sourceName(from: string | undefined, file: string | undefined): string {
  if (from === undefined) return "soketi's settings";
  return from.startsWith('SOKETI_') || file === undefined ? from : `${from} of file ${file}`;
}
