import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster, type Redis } from 'ioredis';
import { type ScriptName, scriptNames } from './script-names.ts';
import type { Reply } from './store-link.ts';
import { writeTogether } from './write-together.ts';

/** Where the scripts are: beside this module, in the sources and built. */
const ownFolder = join(dirname(fileURLToPath(import.meta.url)), 'scripts');

const publishLine = "local PUBLISH = 'PUBLISH'";

/** The text of a script behind the prelude. On a Cluster what it says stays with the nodes of its slot. */
function scriptText(folder: string, name: ScriptName, isCluster: boolean): string {
  const [prelude, body] = ['prelude', name].map((file) => readFileSync(join(folder, `${file}.lua`), 'utf8'));
  const text = `${prelude ?? ''}\n${body ?? ''}`;
  return isCluster ? text.replace(publishLine, "local PUBLISH = 'SPUBLISH'") : text;
}

type Runner = (key: string, ...args: readonly (string | number | Buffer)[]) => Promise<Reply>;

/** The commands that scripts are defined as: names of their own, so that none hides a command of Redis. */
export const scriptCommands: readonly string[] = scriptNames.map(commandOf);

/** The scripts, each read and defined when it is first needed. They are sent by their digest, and in full where it is not known. */
export class Scripts {
  readonly #commands: Redis | Cluster;
  readonly #folder: string;
  readonly #runners = new Map<ScriptName, Runner>();

  constructor(commands: Redis | Cluster, folder: string = ownFolder) {
    this.#commands = commands;
    this.#folder = folder;
  }

  /** @throws When there is no such file. */
  runnerOf(name: ScriptName): Runner {
    const runner = this.#runners.get(name) ?? this.#define(name);
    this.#runners.set(name, runner);
    return runner;
  }

  #define(name: ScriptName): Runner {
    const commands = this.#commands;
    const command = commandOf(name);
    const lua = scriptText(this.#folder, name, commands instanceof Cluster);
    commands.defineCommand(command, { lua, numberOfKeys: 1 });
    const runner = (commands as unknown as Record<string, Runner>)[command];
    if (runner === undefined) throw new Error(`script ${name} was not defined`);
    const run = runner.bind(commands);
    if (commands instanceof Cluster) return run;
    return (key, ...args) => {
      writeTogether(commands.stream);
      return run(key, ...args);
    };
  }
}

function commandOf(name: ScriptName): string {
  return `script:${name}`;
}
