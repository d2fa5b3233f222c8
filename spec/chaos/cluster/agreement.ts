/** A channel as somebody sees it; subscriptions only where they are told. */
export interface ChannelState {
  readonly users: readonly string[];
  readonly subscriptions?: number;
}

export type AppState = Readonly<Record<string, ChannelState>>;

/** What somebody takes for the truth, of whole apps or of the channels it sees. */
export interface Witness {
  /** Such as `node a, app one`. */
  readonly name: string;
  readonly state: AppState;
  /** It knows nothing of other channels. Default: what it does not name is vacant. */
  readonly seesOnly?: readonly string[];
}

/** Where a witness contradicts the live sockets (R6). */
export function disagreements(truth: AppState, { name, state, seesOnly }: Witness): readonly string[] {
  const channels = seesOnly ?? [...new Set([...Object.keys(truth), ...Object.keys(state)])].sort();
  return channels.flatMap((channel) => {
    const there = truth[channel];
    const seen = state[channel];
    if (there === undefined && seen === undefined) return [];
    if (seen === undefined) return [`${name}: ${channel} is not there; ${textOf(there)}`];
    if (there === undefined) return [`${name}: ${channel} is there, nobody is subscribed; ${textOf(seen)}`];
    const isSame = [...seen.users].sort().join() === [...there.users].sort().join();
    const isCounted =
      seen.subscriptions === undefined ||
      there.subscriptions === undefined ||
      seen.subscriptions === there.subscriptions;
    return isSame && isCounted ? [] : [`${name}: ${channel} has ${textOf(seen)} instead of ${textOf(there)}`];
  });
}

function textOf(state: ChannelState | undefined): string {
  if (state === undefined) return 'nothing';
  const users = state.users.length === 0 ? 'no users' : [...state.users].sort().join(', ');
  return state.subscriptions === undefined ? users : `${users} in ${state.subscriptions} subscriptions`;
}
