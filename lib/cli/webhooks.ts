import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';
import { addRemoteCommands } from './webhooks-remote.ts';
import { addSecretCommand } from './webhooks-secret.ts';
import { addTestCommand } from './webhooks-test.ts';

/** Adds `spillway webhooks …`. `onFailed` is told when a command did its work and found something wrong. */
export function addWebhookCommands(program: Command, terminal: Terminal, onFailed: () => void): void {
  const group = program.command('webhooks').description('try, inspect and repeat webhooks');
  addSecretCommand(group, terminal);
  addTestCommand(group, terminal, onFailed);
  addRemoteCommands(group, terminal);
}
