import type {
  AuthorizedMessage,
  ConnectionAdmitted,
  ConnectionEstablished,
  ConnectionSettled,
  PublishedEvent,
} from './events.ts';
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
}

export type SlotName = keyof Slots;

type Transforms<T, C> =
  | Only<MapForm<T, T, C>>
  | Only<FilterForm<T, C>>
  | Only<TapForm<T, C>>
  | Only<SplitForm<T, T, C>>
  | Only<EffectForm<T, T, C>>
  | Only<StreamForm<T, T, C>>;

/** What a stage in this slot may do: connect stages admit or refuse, disconnect stages look on, the others transform. */
export type SlotForm<S extends SlotName, C> = SlotForms<C>[S];

interface SlotForms<C> {
  readonly 'connect:admitted':
    | Only<GuardForm<Slots['connect:admitted'], C>>
    | Only<TapForm<Slots['connect:admitted'], C>>;
  readonly 'connect:established': Only<TapForm<Slots['connect:established'], C>>;
  readonly 'message:authorized': Transforms<Slots['message:authorized'], C>;
  readonly 'publish:accepted': Transforms<Slots['publish:accepted'], C>;
  readonly 'disconnect:settled': Only<TapForm<Slots['disconnect:settled'], C>>;
}

/** The same at run time, for stages that were not type-checked. */
export const formsOfSlot: Readonly<Record<SlotName, readonly string[]>> = {
  'connect:admitted': ['guard', 'tap'],
  'connect:established': ['tap'],
  'message:authorized': ['map', 'filter', 'tap', 'split', 'effect', 'stream'],
  'publish:accepted': ['map', 'filter', 'tap', 'split', 'effect', 'stream'],
  'disconnect:settled': ['tap'],
};

/** What keeps its order in a slot: items of one key never overtake each other, also when a stage works on several at once. */
export const keyOfSlot: { readonly [S in SlotName]: (item: Slots[S]) => unknown } = {
  'connect:admitted': ({ transport }) => transport,
  'connect:established': ({ connection }) => connection,
  'message:authorized': ({ connection }) => connection,
  'publish:accepted': ({ app, channel }) => `${app.id} ${channel.name}`,
  'disconnect:settled': ({ connection }) => connection,
};
