import { Ring } from '../flow/ring.ts';

/** A call that waits for the store, and those behind it. */
export type WaitingCall =
  | {
      readonly kind: 'acquire';
      readonly limit: number;
      readonly resolve: (isGranted: boolean) => void;
      readonly reject: (error: unknown) => void;
    }
  | { readonly kind: 'release'; readonly count: number; readonly resolve: () => void };

/** What this node has and uses of one app's connections, and the calls that wait, in their order. */
export class AppShare {
  readonly appId: string;
  readonly waiting = new Ring<WaitingCall>();
  /** The connections of this node. */
  used = 0;
  /** What the store granted this node, under the name `holder`. */
  share = 0;
  holder: string | undefined = undefined;
  /** The app's limit, as it was last asked for. */
  limit = 0;
  /** What was asked last was not answered: the store may have more, or less, for this node than it knows. */
  isUncertain = false;
  /** One question about the app is under way. */
  isAsking = false;

  constructor(appId: string) {
    this.appId = appId;
  }

  get surplus(): number {
    return Math.max(0, this.share - this.used);
  }

  /** What is asked for beyond what is used: little, for others want some too. */
  get step(): number {
    return Math.max(1, Math.ceil(this.used / 10));
  }

  /** Nothing would be lost without it. */
  get isIdle(): boolean {
    return (
      this.used === 0 && this.share === 0 && this.waiting.size === 0 && !this.isAsking && !this.isUncertain
    );
  }

  grantWithin(limit: number): boolean {
    if (this.used >= limit) return false;
    this.used++;
    return true;
  }

  giveUp(count: number): void {
    this.used = Math.max(0, this.used - count);
  }
}
