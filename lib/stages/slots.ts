import type {
  AuthorizedMessage,
  ConnectionAdmitted,
  ConnectionEstablished,
  ConnectionSettled,
  PublishedEvent,
} from './events.ts';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import type { TurnChosen, WebhookReady } from '../webhooks/turn.ts';
import type { SlotView } from './slot-view.ts';
import type {
  EffectForm,
  FilterForm,
  GuardForm,
  MapForm,
  Only,
  SplitForm,
  StreamForm,
  TapForm,
} from './stage.ts';
import { readyView } from './webhook/ready-view.ts';

/** The named places in the pipelines where stages of users stand, and what flows there. */
export interface Slots {
  /** A connection that passed the server's own checks; a guard may refuse it. */
  'connect:admitted': ConnectionAdmitted;
  /** A connection that has been greeted. */
  'connect:established': ConnectionEstablished;
  /** A message that its sender may send; it may be changed or dropped. */
  'message:authorized': AuthorizedMessage;
  /** An event on its way to one channel; it may be changed, dropped or split. */
  'publish:accepted': PublishedEvent;
  /** A connection that is gone, and everybody who had to be told was. */
  'disconnect:settled': ConnectionSettled;
  /** A batch of events for one endpoint, about to be recorded and sent; payloads may be changed. */
  'webhook:ready': WebhookReady;
}

export type SlotName = keyof Slots;

/** What flows where stages of users are shown only a part of it. */
interface Carriers {
  readonly 'webhook:ready': TurnChosen;
}

/** What flows in the pipeline where a slot stands. */
export type SlotItems = { readonly [S in SlotName]: S extends keyof Carriers ? Carriers[S] : Slots[S] };

/** What of it stages of users are shown; elsewhere all of it. */
export const viewOfSlot: { readonly [S in keyof Carriers]: SlotView<Carriers[S], Slots[S]> } = {
  'webhook:ready': readyView,
};

type Transforms<T, C> =
  | Only<MapForm<T, T, C>>
  | Only<FilterForm<T, C>>
  | Only<TapForm<T, C>>
  | Only<SplitForm<T, T, C>>
  | Only<EffectForm<T, T, C>>
  | Only<StreamForm<T, T, C>>;

/** Changes an item and passes it on: dropping it is not among the answers. */
interface ChangeForm<T, C> {
  readonly map: (item: T, context: C) => MaybePromise<T>;
}

/**
 * What a stage in this slot may do: connect stages admit or refuse, disconnect stages look on, webhook stages change, the
 * others transform.
 */
export type SlotForm<S extends SlotName, C> = SlotForms<C>[S];

interface SlotForms<C> {
  readonly 'connect:admitted':
    | Only<GuardForm<Slots['connect:admitted'], C>>
    | Only<TapForm<Slots['connect:admitted'], C>>;
  readonly 'connect:established': Only<TapForm<Slots['connect:established'], C>>;
  readonly 'message:authorized': Transforms<Slots['message:authorized'], C>;
  readonly 'publish:accepted': Transforms<Slots['publish:accepted'], C>;
  readonly 'disconnect:settled': Only<TapForm<Slots['disconnect:settled'], C>>;
  readonly 'webhook:ready':
    | Only<ChangeForm<Slots['webhook:ready'], C>>
    | Only<TapForm<Slots['webhook:ready'], C>>;
}

/** The same at run time, for stages that were not type-checked. */
export const formsOfSlot: Readonly<Record<SlotName, readonly string[]>> = {
  'connect:admitted': ['guard', 'tap'],
  'connect:established': ['tap'],
  'message:authorized': ['map', 'filter', 'tap', 'split', 'effect', 'stream'],
  'publish:accepted': ['map', 'filter', 'tap', 'split', 'effect', 'stream'],
  'disconnect:settled': ['tap'],
  'webhook:ready': ['map', 'tap'],
};

/** What keeps its order in a slot: items of one key never overtake each other, also when a stage works on several at once. */
export const keyOfSlot: { readonly [S in SlotName]: (item: Slots[S]) => unknown } = {
  'connect:admitted': ({ transport }) => transport,
  'connect:established': ({ connection }) => connection,
  'message:authorized': ({ connection }) => connection,
  'publish:accepted': ({ app, channel }) => `${app.id} ${channel.name}`,
  'disconnect:settled': ({ connection }) => connection,
  'webhook:ready': ({ appId, endpointId }) => `${appId} ${endpointId}`,
};
