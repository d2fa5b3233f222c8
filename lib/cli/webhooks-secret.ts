import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { signingSecretOf } from '../webhooks/endpoint.ts';
import { loadFromFlags } from './config-flags.ts';
import type { Terminal } from './terminal.ts';
import { addEndpointFlags, chosenEndpoints, namesOf } from './webhooks-chosen.ts';

/** Standard Webhooks asks for 24 to 64. */
const secretBytes = 32;

/** Adds `secret`: a new one for a configuration, or the one that receivers of an endpoint have to verify with. */
export function addSecretCommand(group: Command, terminal: Terminal): void {
  const command = group
    .command('secret')
    .description('print a new signing secret, or with --app or --endpoint the one in force');
  addEndpointFlags(command).action((flags: object) => {
    const isOfEndpoint = 'app' in flags || 'endpoint' in flags;
    if (!isOfEndpoint && 'config' in flags)
      command.error('error: --config has a secret for each endpoint: give --app or --endpoint too');
    terminal.out(`${isOfEndpoint ? secretInForce(command, terminal) : newSecret()}\n`);
  });
}

function newSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}

function secretInForce(command: Command, terminal: Terminal): string {
  const [chosen, ...others] = chosenEndpoints(command, loadFromFlags(command, terminal.env).config);
  if (others.length > 0)
    return command.error(
      `error: several endpoints are meant: give --app and --endpoint for one of ${namesOf([chosen, ...others])}`,
    );
  return signingSecretOf(chosen.app, chosen.webhook);
}
