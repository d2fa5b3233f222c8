/** What stands in a slot fits it. Checked by the compiler: each expected error is a rule. */
import { map, of, toArray } from 'rxjs';
import { defineStage, type SlotStage } from '../../lib/stages/define-stage.ts';
import { DROP } from '../../lib/stages/stage.ts';
import type { WebhookReady } from '../../lib/webhooks/turn.ts';
import { effectLimits, later, nothing, same, streamLimits, through, yes } from './parts.ts';

const name = 'spec';

// What must compile: every form a slot allows.
export const good: readonly SlotStage[] = [
  defineStage({ name, slot: 'connect:admitted', guard: yes }),
  defineStage({ name, slot: 'connect:admitted', guard: () => ({ closeCode: 4009, reason: 'no' }) }),
  defineStage({ name, slot: 'connect:admitted', guard: () => Promise.resolve(true as const) }),
  defineStage({ name, slot: 'connect:admitted', tap: ({ app }) => nothing.call(app) }),
  defineStage({ name, slot: 'connect:established', tap: ({ connection }) => nothing.call(connection) }),
  defineStage({ name, slot: 'message:authorized', map: same }),
  defineStage({ name, slot: 'message:authorized', map: (item) => (item.kind === 'ping' ? DROP : item) }),
  defineStage({
    name,
    slot: 'message:authorized',
    map: (item, { clock }) => (clock.now() > 0 ? item : DROP),
  }),
  defineStage({ name, slot: 'message:authorized', filter: ({ kind }) => kind === 'ping' }),
  defineStage({ name, slot: 'message:authorized', tap: nothing }),
  defineStage({ name, slot: 'publish:accepted', split: (event) => [event, event] }),
  defineStage({ name, slot: 'publish:accepted', map: (event) => ({ ...event, data: 'other' }) }),
  defineStage({ name, slot: 'message:authorized', effect: later, limits: effectLimits }),
  defineStage({ name, slot: 'message:authorized', effect: (item) => of(item), limits: effectLimits }),
  defineStage({ name, slot: 'message:authorized', effect: later, limits: () => effectLimits }),
  defineStage({ name, slot: 'message:authorized', stream: through, limits: streamLimits }),
  defineStage({ name, slot: 'disconnect:settled', tap: ({ cause }) => nothing.call(cause) }),
  defineStage({ name, slot: 'webhook:ready', tap: ({ endpointId }) => nothing.call(endpointId) }),
  defineStage({
    name,
    slot: 'webhook:ready',
    map: (batch) => ({ ...batch, events: batch.events.map((event) => ({ ...event, tenant: 'x' })) }),
  }),
  defineStage({ name, slot: 'webhook:ready', map: (batch) => Promise.resolve(batch) }),
];

// @ts-expect-error A slot has to exist.
defineStage({ name, slot: 'message:received', tap: nothing });

// @ts-expect-error A misspelt slot is no slot.
defineStage({ name, slot: 'message:authorised', tap: nothing });

// @ts-expect-error A stage of a user stands in a slot the product has, not in one of its own.
defineStage({ name, slot: 'webhook', map: same });

// @ts-expect-error A map gives back what its slot carries, not something else.
defineStage({ name, slot: 'message:authorized', map: (message) => message.kind });

// @ts-expect-error A map may not forget to answer.
defineStage({ name, slot: 'message:authorized', map: nothing });

// @ts-expect-error A map that answers a promise promises what the slot carries.
defineStage({ name, slot: 'publish:accepted', map: () => Promise.resolve('event') });

// @ts-expect-error A map may not leave out a part of the item.
defineStage({ name, slot: 'publish:accepted', map: ({ app, channel, event }) => ({ app, channel, event }) });

// @ts-expect-error A split gives items of its slot.
defineStage({ name, slot: 'publish:accepted', split: ({ data }) => [data] });

// @ts-expect-error A split gives a list.
defineStage({ name, slot: 'publish:accepted', split: same });

// @ts-expect-error A filter answers yes or no.
defineStage({ name, slot: 'message:authorized', filter: ({ kind }) => kind });

// @ts-expect-error An effect gives items of its slot.
defineStage({ name, slot: 'message:authorized', effect: () => of('x'), limits: effectLimits });

const gathered = map((list: readonly string[]) => list.length);
// @ts-expect-error A stream gives items of its slot.
defineStage({ name, slot: 'message:authorized', stream: (m$) => m$.pipe(toArray()), limits: streamLimits });
// @ts-expect-error A stream takes items of its slot.
defineStage({ name, slot: 'message:authorized', stream: gathered, limits: streamLimits });

// @ts-expect-error A connect slot admits or looks on; it changes nothing.
defineStage({ name, slot: 'connect:admitted', map: same });

// @ts-expect-error A connect slot does not filter: who is turned away is told why, by a guard.
defineStage({ name, slot: 'connect:admitted', filter: yes });

// @ts-expect-error A connection that was greeted is not changed any more.
defineStage({ name, slot: 'connect:established', map: same });

// @ts-expect-error A connection that was greeted is not refused any more.
defineStage({ name, slot: 'connect:established', guard: yes });

// @ts-expect-error A disconnect slot only looks on: a departure cannot be changed.
defineStage({ name, slot: 'disconnect:settled', map: same });

// @ts-expect-error A disconnect slot only looks on: a departure cannot be dropped.
defineStage({ name, slot: 'disconnect:settled', filter: yes });

// @ts-expect-error Guards stand in connect slots only.
defineStage({ name, slot: 'message:authorized', guard: yes });

// @ts-expect-error A guard that refuses says with which close code.
defineStage({ name, slot: 'connect:admitted', guard: () => ({ reason: 'no' }) });

// @ts-expect-error A guard that refuses says why: false is no reason.
defineStage({ name, slot: 'connect:admitted', guard: () => false });

// @ts-expect-error A stage does one thing: two forms at once are none.
defineStage({ name, slot: 'message:authorized', map: same, tap: nothing });

// @ts-expect-error A stage does one thing: a filter is no tap.
defineStage({ name, slot: 'message:authorized', filter: yes, tap: nothing });

// @ts-expect-error A stage does something.
defineStage({ name, slot: 'message:authorized' });

// @ts-expect-error A stage has a name.
defineStage({ slot: 'message:authorized', tap: nothing });

// @ts-expect-error A stage's fields are fields of its slot's item.
defineStage({ name, slot: 'disconnect:settled', tap: ({ frame }) => nothing.call(frame) });

// @ts-expect-error A webhook batch cannot be dropped: its lane would stand still.
defineStage({ name, slot: 'webhook:ready', map: () => DROP });

// @ts-expect-error A webhook batch cannot be filtered out.
defineStage({ name, slot: 'webhook:ready', filter: yes });

// @ts-expect-error A webhook batch is one: it is not split.
defineStage({ name, slot: 'webhook:ready', split: same });

// @ts-expect-error A webhook batch has its turn: nothing overtakes it and nothing waits for it.
defineStage({ name, slot: 'webhook:ready', effect: (batch) => of(batch), limits: effectLimits });

// @ts-expect-error A webhook event keeps its name.
defineStage({ name, slot: 'webhook:ready', map: (batch) => ({ ...batch, events: [{ channel: 'c' }] }) });

declare const batch: WebhookReady;
// @ts-expect-error A webhook batch is not changed in place.
batch.events = [];

// @ts-expect-error Nothing of an endpoint but its id is shown: its keys least of all.
defineStage({ name, slot: 'webhook:ready', tap: ({ endpoint }) => nothing.call(endpoint) });

// @ts-expect-error A webhook stage does not see whose turn it is.
defineStage({ name, slot: 'webhook:ready', tap: ({ lane }) => nothing.call(lane) });
