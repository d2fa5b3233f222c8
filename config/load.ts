import { readConfigFile } from './config-file.ts';
import { crossCheck } from './cross-checks.ts';
import { deepFreeze } from './deep-freeze.ts';
import { developmentApp } from './development-app.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { inactiveMessages } from './inactive.ts';
import { presetValues } from './presets.ts';
import { invalidConfig, type Problem, problemsOf } from './problems.ts';
import { isRawObject, type Layer, merge, type RawObject, sourceOf } from './raw.ts';
import { type Config, configSchema } from './schema.ts';
import { pathText, type SettingPath } from './settings.ts';
import { readSoketi, type SoketiTranslation } from './soketi/soketi.ts';

/** Something a person should know about a configuration that is otherwise fine. */
export interface ConfigWarning {
  readonly code: 'config.development-app' | 'config.inactive' | 'config.soketi' | 'config.no-spool';
  readonly message: string;
}

/** Where settings come from. */
export interface ConfigSources {
  /** Path of a JSON file; default: SPILLWAY_CONFIG. */
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Settings from flags, in the shape of the file. */
  readonly overrides?: RawObject;
}

/** A configuration that can be started. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly ConfigWarning[];
  /** No app was configured: the development app is there. */
  readonly isDevelopmentApp: boolean;
  /** What each soketi setting became. */
  readonly translations: readonly SoketiTranslation[];
}

/**
 * Puts the configuration together: defaults, then the preset, the file, the environment, the flags; each wins over what
 * is before it. Throws a SpillwayError `config.invalid` that lists every mistake with its path and source.
 */
export function loadConfig({ file, env, overrides = {} }: ConfigSources): LoadedConfig {
  const environment = readEnvironment(env);
  const path = file ?? environment.configFile;
  const content = path === undefined ? { values: {}, problems: [] } : readConfigFile(path);
  const soketi = readSoketi(content.values, env, path);
  const layers: readonly Layer[] = [
    ...(soketi.isFile ? [] : [{ values: content.values, sourceOf: () => `file ${path ?? ''}` }]),
    ...soketi.layers,
    ...environment.layers,
    { values: overrides, sourceOf: () => 'the command line' },
  ];
  const given = withStages(
    layers.reduce<RawObject>((below, { values }) => merge(below, values), {}),
    environment,
  );
  const isDevelopmentApp = hasNoApps(given);
  const raw = merge(
    presetValues(given['preset']),
    isDevelopmentApp ? { ...given, apps: [developmentApp] } : given,
  );
  const early = [
    ...content.problems,
    ...environment.problems,
    ...soketi.problems,
    ...singleAppProblems(layers),
  ];
  const config = validate(raw, { layers, early, isDevelopment: environment.isDevelopment });
  const warnings = [
    ...developmentWarning(isDevelopmentApp),
    ...inactiveWarnings(given),
    ...spoolWarning(config),
    ...soketi.warnings,
  ];
  return { config: deepFreeze(config), warnings, isDevelopmentApp, translations: soketi.translations };
}

interface Checks {
  readonly layers: readonly Layer[];
  readonly early: readonly string[];
  readonly isDevelopment: boolean;
}

function validate(raw: RawObject, { layers, early, isDevelopment }: Checks): Config {
  const parsed = configSchema.safeParse(raw);
  const found = [
    ...(parsed.success ? [] : problemsOf(parsed.error, raw)),
    ...crossCheck(raw, { isDevelopment }),
  ];
  const problems = [...early, ...found.map((problem) => withSource(problem, layers))];
  if (!parsed.success || problems.length > 0) throw invalidConfig(problems);
  return parsed.data;
}

function withSource({ path, text }: Problem, layers: readonly Layer[]): string {
  const source = sourceOf(layers, path);
  return `${nameOf(path)}: ${text}${source === undefined ? '' : `; from ${source}`}`;
}

function nameOf(path: SettingPath): string {
  return path.length === 0 ? 'configuration' : pathText(path);
}

function withStages(given: RawObject, { stages }: Environment): RawObject {
  const before = given['stages'] ?? [];
  return stages.length > 0 && Array.isArray(before)
    ? { ...given, stages: [...(before as unknown[]), ...stages] }
    : given;
}

function hasNoApps(given: RawObject): boolean {
  const apps = given['apps'];
  return apps === undefined || (Array.isArray(apps) && apps.length === 0);
}

/** One app in short form would silently replace a list from elsewhere, so the two exclude each other. */
function singleAppProblems(layers: readonly Layer[]): readonly string[] {
  return layers.flatMap((layer) => {
    const other = layers.find(
      (candidate) => candidate !== layer && isRawObject(candidate.values) && !hasNoApps(candidate.values),
    );
    if (layer.singleApp === undefined || other === undefined) return [];
    return [`${layer.singleApp}: cannot be combined with apps from ${other.sourceOf(['apps'])}`];
  });
}

function developmentWarning(isDevelopmentApp: boolean): readonly ConfigWarning[] {
  const message =
    'no app is configured: using the development app (app-id, app-key, app-secret), for development only';
  return isDevelopmentApp ? [{ code: 'config.development-app', message }] : [];
}

/** Without Redis events live in memory: without a file those that an endpoint has not taken end with the process. */
function spoolWarning({ apps, redis, webhooks }: Config): readonly ConfigWarning[] {
  const isKept = redis !== undefined || webhooks.spoolFile !== undefined;
  if (isKept || apps.every((app) => app.webhooks.length === 0)) return [];
  const message =
    'webhooks.spoolFile is not set: webhooks that are not delivered when the server stops will be lost';
  return [{ code: 'config.no-spool', message }];
}

function inactiveWarnings(given: RawObject): readonly ConfigWarning[] {
  return inactiveMessages(given).map((message) => ({ code: 'config.inactive', message }));
}
