import { type Command, InvalidArgumentError } from 'commander';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { type Assignment, overridesFrom } from '../../config/overrides.ts';

interface Flags {
  readonly config?: string;
  readonly host?: string;
  readonly port?: string;
  readonly logLevel?: string;
  readonly set: readonly Assignment[];
}

/** Adds the flags that say which configuration is meant. */
export function addConfigFlags(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file, JSON (default: SPILLWAY_CONFIG)')
    .option('--host <host>', 'server.host')
    .option('--port <port>', 'server.port')
    .option('--log-level <level>', 'log.level')
    .option(
      '--set <key=value>',
      'any other setting, such as cache.ttlSeconds=60; may be repeated',
      collect,
      [],
    );
}

/** Loads the configuration that the flags of a command and the environment describe. */
export function loadFromFlags(command: Command, env: NodeJS.ProcessEnv): LoadedConfig {
  const { config, host, port, logLevel, set } = command.opts<Flags>();
  const named: Assignment[] = [
    ...assignment('server.host', host),
    ...assignment('server.port', port),
    ...assignment('log.level', logLevel),
  ];
  return loadConfig({ file: config, env, overrides: overridesFrom([...named, ...set]) });
}

function assignment(key: string, text: string | undefined): Assignment[] {
  return text === undefined ? [] : [{ key, text }];
}

function collect(argument: string, before: readonly Assignment[]): readonly Assignment[] {
  const [, key, text] = /^([^=]+)=([\s\S]*)$/.exec(argument) ?? [];
  if (key === undefined || text === undefined) throw new InvalidArgumentError('Expected key=value.');
  return [...before, { key, text }];
}
