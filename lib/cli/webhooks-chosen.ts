import type { Command } from 'commander';
import type { AppConfig, Config } from '../../config/schema.ts';
import { endpointIdOf } from '../webhooks/endpoint.ts';
import { addConfigFlags } from './config-flags.ts';

interface Flags {
  readonly app?: string;
  readonly endpoint?: string;
}

/** An endpoint of the configuration, and the app it is told of. */
export interface ChosenEndpoint {
  readonly app: AppConfig;
  readonly webhook: AppConfig['webhooks'][number];
  readonly id: string;
}

/** Adds the flags that choose endpoints of a configuration. */
export function addEndpointFlags(command: Command): Command {
  return addConfigFlags(command)
    .option('--app <id>', 'only endpoints of this app')
    .option('--endpoint <id>', 'only this endpoint');
}

/** The endpoints that the flags of a command choose: one or more. Ends the command when there is none. */
export function chosenEndpoints(
  command: Command,
  { apps }: Config,
): readonly [ChosenEndpoint, ...ChosenEndpoint[]] {
  const { app: appId, endpoint: endpointId } = command.opts<Flags>();
  if (appId !== undefined && !apps.some(({ id }) => id === appId))
    return command.error(`error: there is no app ${appId}: there is ${apps.map(({ id }) => id).join(', ')}`);
  const known = apps.filter(({ id }) => appId === undefined || id === appId).flatMap(endpointsOf);
  if (known.length === 0) {
    const nobody = appId === undefined ? 'no app has a' : `app ${appId} has no`;
    throw new Error(`${nobody} webhook endpoint: add one to its webhooks in the configuration`);
  }
  const [first, ...others] = known.filter(({ id }) => endpointId === undefined || id === endpointId);
  if (first === undefined)
    return command.error(`error: there is no endpoint ${String(endpointId)}: there is ${namesOf(known)}`);
  return [first, ...others];
}

/** `shop/orders, shop/3f2a…`: for people who have to choose. */
export function namesOf(endpoints: readonly ChosenEndpoint[]): string {
  return endpoints.map(nameOf).join(', ');
}

export function nameOf({ app, id }: ChosenEndpoint): string {
  return `${app.id}/${id}`;
}

function endpointsOf(app: AppConfig): readonly ChosenEndpoint[] {
  return app.webhooks.map((webhook) => ({ app, webhook, id: endpointIdOf(app, webhook) }));
}
