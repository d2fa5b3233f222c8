import { isServiceLink } from '../environment.ts';
import { JsonSyntaxError, parseJsonc } from '../jsonc.ts';
import { isRawObject, type RawObject } from '../raw.ts';
import { soketiEnvironment } from './environment.ts';

/** One option of soketi: its value, and how the person wrote it (a file's option, or a variable). */
export interface SoketiOption {
  readonly value: unknown;
  readonly from: string;
}

/** Everything said in soketi's words. */
export interface SoketiOptions {
  /** By path: `database.redis.host`. Without the apps. */
  readonly options: ReadonlyMap<string, SoketiOption>;
  /** The apps, each with its options by name. */
  readonly apps: readonly ReadonlyMap<string, SoketiOption>[];
  /** SOKETI_ variables that soketi itself does not have in our table. */
  readonly unknown: readonly string[];
  /** Set when the only app comes from SOKETI_DEFAULT_APP_ variables. */
  readonly singleApp: string | undefined;
}

const appsPath = 'appManager.array.apps';
const ownKeys = [
  'server',
  'apps',
  'admin',
  'http',
  'inbound',
  'redis',
  'cleanup',
  'drain',
  'delivery',
  'sessions',
  'log',
  'preset',
  'stages',
];
const soketiOnly = [
  'adapter',
  'appManager',
  'channelLimits',
  'database',
  'databasePooling',
  'eventLimits',
  'httpApi',
  'metrics',
  'pathPrefix',
  'queue',
  'rateLimiter',
  'shutdownGracePeriod',
  'ssl',
];

/** Whether a file is one of soketi's: it has options that only soketi has, and no group that only Spillway has. */
export function isSoketiFile(values: RawObject): boolean {
  const groups = Object.keys(values).map((key) => key.split('.')[0] ?? '');
  return (
    groups.some((group) => soketiOnly.includes(group)) && !groups.some((group) => ownKeys.includes(group))
  );
}

/** Gathers soketi's options: those of the file (nested, or with dotted names), then the SOKETI_ variables. */
export function gatherSoketiOptions(file: RawObject, env: NodeJS.ProcessEnv): SoketiOptions {
  const options = new Map<string, SoketiOption>();
  flatten(file, '', options);
  const fileApps = options.get(appsPath)?.value;
  options.delete(appsPath);
  const apps = Array.isArray(fileApps) ? fileApps.filter(isRawObject).map(appOptions) : [];
  const unknown: string[] = [];
  let singleApp: string | undefined;
  for (const [name, text] of soketiVariables(env)) {
    const path = optionOf(name);
    if (path === undefined) unknown.push(name);
    else if (path.startsWith(`${appsPath}.0.`)) {
      if (!Array.isArray(fileApps)) singleApp ??= name;
      firstOf(apps).set(path.slice(appsPath.length + 3), { value: valueOf(text), from: name });
    } else options.set(path, { value: valueOf(text), from: name });
  }
  return { options: withoutEmpty(options), apps: apps.map(withoutEmpty), unknown, singleApp };
}

function firstOf(apps: Map<string, SoketiOption>[]): Map<string, SoketiOption> {
  const [first = new Map<string, SoketiOption>()] = apps;
  if (apps.length === 0) apps.push(first);
  return first;
}

function flatten(values: RawObject, prefix: string, into: Map<string, SoketiOption>): void {
  for (const [name, value] of Object.entries(values)) {
    const path = prefix + name;
    if (isRawObject(value)) flatten(value, `${path}.`, into);
    else into.set(path, { value, from: path });
  }
}

function appOptions(app: RawObject, index: number): Map<string, SoketiOption> {
  return new Map(
    Object.entries(app).map(([name, value]) => [name, { value, from: `${appsPath}[${index}].${name}` }]),
  );
}

function soketiVariables(env: NodeJS.ProcessEnv): readonly [string, string][] {
  return Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[0].startsWith('SOKETI_') &&
      entry[1] !== undefined &&
      entry[1] !== '' &&
      !isServiceLink(entry[0], entry[1]),
  );
}

function optionOf(variable: string): string | undefined {
  const name = variable.slice('SOKETI_'.length);
  return Object.hasOwn(soketiEnvironment, name) ? soketiEnvironment[name] : undefined;
}

/** soketi reads a variable as JSON when it is JSON, and as text when it is not. */
function valueOf(text: string): unknown {
  try {
    return parseJsonc(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return text;
    throw error;
  }
}

/** soketi writes "not set" as null or as an empty text. */
function withoutEmpty(options: ReadonlyMap<string, SoketiOption>): Map<string, SoketiOption> {
  return new Map([...options].filter(([, { value }]) => value !== null && value !== ''));
}
