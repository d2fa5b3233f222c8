/**
 * What a change of membership means for those outside: told by the membership store in the very step that changes its
 * state, so that neither can happen without the other (R1). In memory it is this synchronous interface; in Redis both are
 * one script.
 *
 * Called in an order that outsiders can follow: occupied before the first member is added, the last member removed before
 * vacated.
 */
export interface LifecycleRecorder {
  occupied(appId: string, channel: string): void;
  vacated(appId: string, channel: string): void;
  memberAdded(appId: string, channel: string, userId: string): void;
  memberRemoved(appId: string, channel: string, userId: string): void;
  /** A counted channel has another number of subscriptions. */
  counted(appId: string, channel: string, subscriptions: number): void;
}
