import { nearest } from './did-you-mean.ts';
import { JsonSyntaxError } from './jsonc.ts';
import { type Layer, merge, objectWith, type RawObject } from './raw.ts';
import { plainSettings, type Setting } from './settings.ts';
import { typeText } from './type-text.ts';
import { listOf, truthOf, valueFromText } from './value-from-text.ts';

const prefix = 'SPILLWAY_';
const singleAppNames = {
  id: 'SPILLWAY_APP_ID',
  key: 'SPILLWAY_APP_KEY',
  secret: 'SPILLWAY_APP_SECRET',
} as const;
const otherNames = ['SPILLWAY_CONFIG', 'SPILLWAY_DEV', 'SPILLWAY_STAGES', ...Object.values(singleAppNames)];

/** What the environment says. */
export interface Environment {
  readonly layers: readonly Layer[];
  readonly problems: readonly string[];
  /** SPILLWAY_CONFIG. */
  readonly configFile: string | undefined;
  /** SPILLWAY_DEV: the development secret may be used beyond loopback. */
  readonly isDevelopment: boolean;
  /** SPILLWAY_STAGES, added to the stages of the file. */
  readonly stages: readonly string[];
}

/** The environment variable of a setting: `server.maxConnections` is SPILLWAY_SERVER_MAX_CONNECTIONS. */
export function environmentName(key: string): string {
  return (
    prefix +
    key
      .replace(/([a-z\d])([A-Z])/g, '$1_$2')
      .replaceAll('.', '_')
      .toUpperCase()
  );
}

/** Reads every SPILLWAY_ variable. Empty ones count as absent; unknown ones are mistakes. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const given = givenVariables(env);
  const development = truthOf(given.get('SPILLWAY_DEV') ?? 'false');
  const settings = readSettings(given);
  const devProblem = development === undefined ? ['SPILLWAY_DEV: expected true or false'] : [];
  return {
    layers: [...readSingleApp(given), settings.layer],
    problems: [...settings.problems, ...devProblem, ...unknownNames(given)],
    configFile: given.get('SPILLWAY_CONFIG'),
    isDevelopment: development ?? false,
    stages: listOf(given.get('SPILLWAY_STAGES') ?? ''),
  };
}

/** Kubernetes announces a service called "spillway" with such variables; they are not meant for this program. */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT(?:_\w+)?)$/.test(name) ||
    /_PORT_\d+_(?:TCP|UDP)(?:_\w+)?$/.test(name) ||
    (name.endsWith('_PORT') && /^(?:tcp|udp):\/\//.test(value))
  );
}

function givenVariables(env: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
  const given = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[0].startsWith(prefix) &&
      entry[1] !== undefined &&
      entry[1] !== '' &&
      !isServiceLink(entry[0], entry[1]),
  );
  return new Map(given);
}

/** The settings that a variable of their own can give; `stages` has one that adds instead. */
function settingsByName(): ReadonlyMap<string, Setting> {
  const settings = plainSettings().filter(({ key }) => key !== 'stages');
  return new Map(settings.map((setting) => [environmentName(setting.key), setting]));
}

function readSettings(given: ReadonlyMap<string, string>): { layer: Layer; problems: readonly string[] } {
  const problems: string[] = [];
  let values: RawObject = {};
  for (const [name, setting] of settingsByName()) {
    const text = given.get(name);
    if (text === undefined) continue;
    try {
      values = merge(values, objectWith(setting.key.split('.'), valueFromText(setting.node, text)));
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error;
      problems.push(
        `${name}: expected JSON, ${typeText(setting.node)}: ${error.message} (line ${error.line}, column ${error.column})`,
      );
    }
  }
  return { layer: { values, sourceOf: ([first = '', ...rest]) => nameOf(first, rest) }, problems };
}

/** The variable that holds the value at a path: of the setting itself, or of the list it is in. */
function nameOf(first: string | number, rest: readonly (string | number)[]): string {
  const names = [first, ...rest];
  const firstPlace = names.findIndex((step) => typeof step === 'number');
  return environmentName(names.slice(0, firstPlace === -1 ? undefined : firstPlace).join('.'));
}

/** One app in three variables; what is missing is reported by the schema. */
function readSingleApp(given: ReadonlyMap<string, string>): readonly Layer[] {
  const entries = Object.entries(singleAppNames);
  const app = Object.fromEntries(
    entries.flatMap(([field, name]) => (given.has(name) ? [[field, given.get(name)]] : [])),
  );
  const [first] = entries.filter(([, name]) => given.has(name));
  if (first === undefined) return [];
  const names = entries.map(([, name]) => name).join(', ');
  return [{ values: { apps: [app] }, sourceOf: () => names, singleApp: first[1] }];
}

function unknownNames(given: ReadonlyMap<string, string>): readonly string[] {
  const known = [...settingsByName().keys(), ...otherNames];
  return [...given.keys()]
    .filter((name) => !known.includes(name))
    .map((name) => {
      const suggestion = nearest(withoutPrefix(name), known.map(withoutPrefix));
      return `${name}: unknown environment variable${suggestion === undefined ? '' : `, did you mean ${prefix}${suggestion}?`}`;
    });
}

/** Every name starts alike, which would make any two look near. */
function withoutPrefix(name: string): string {
  return name.slice(prefix.length);
}
