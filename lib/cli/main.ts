import { Command, CommanderError } from 'commander';
import { configJsonSchema } from '../../config/json-schema.ts';
import { addConfigFlags, loadFromFlags } from './config-flags.ts';
import { errorText } from './error-text.ts';
import { runServer, type StartServer, startRealServer } from './start.ts';
import { summary } from './summary.ts';
import type { Terminal } from './terminal.ts';
import { addWebhookCommands } from './webhooks.ts';

const exitCodes = { ok: 0, failed: 1, wrongUsage: 2 } as const;

/**
 * Runs the command line and resolves to the exit code: 0 when all went well, 1 when it did not, 2 for wrong usage.
 * The caller ends the process with it.
 */
export async function main(
  args: readonly string[],
  terminal: Terminal,
  startServer: StartServer = startRealServer,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = newProgram(terminal);
  addConfigFlags(program.command('start').description('run the server')).action(
    async (_flags, command: Command) => {
      exitCode = await runServer(loadFromFlags(command, terminal.env), terminal, startServer);
    },
  );
  addConfigFlags(
    program.command('check').description('check the configuration and say what it means'),
  ).action((_flags, command: Command) => terminal.out(summary(loadFromFlags(command, terminal.env))));
  program
    .command('schema')
    .description('print the JSON Schema of the configuration')
    .action(() => terminal.out(`${JSON.stringify(configJsonSchema(), null, 2)}\n`));
  addWebhookCommands(program, terminal, () => {
    exitCode = exitCodes.failed;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return failure(error, terminal);
  }
}

function newProgram(terminal: Terminal): Command {
  return new Command('spillway')
    .description('A real-time WebSocket server that speaks the Pusher Channels protocol.')
    .version(terminal.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) });
}

function failure(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.wrongUsage;
  terminal.err(errorText(error));
  return exitCodes.failed;
}
