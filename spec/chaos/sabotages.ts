import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { LifecycleRecorder } from '../../lib/membership/lifecycle-recorder.ts';
import { MemoryMembershipStore } from '../../lib/membership/memory.ts';
import { isPromise } from '../../lib/flow/maybe-promise.ts';
import { MemoryOutbox } from '../../lib/outbox/memory/memory-outbox.ts';
import { createMemoryStores, type CreateStores } from '../../lib/stores.ts';
import type { PostWebhook } from '../../lib/webhooks/post.ts';
import { otherApp, testApp } from '../support/server.ts';
import type { Sabotage } from './world.ts';

interface Planted {
  readonly sabotage: Sabotage;
  /** What has to be said against it. */
  readonly complaint: RegExp;
}

/** Servers that break a promise each, as peers do: the property has to notice every one of them. */
export const sabotages: Readonly<Record<string, Planted>> = {
  'acknowledges before the endpoint answered': {
    sabotage: {
      post:
        (post) =>
        async (...request) => {
          await post(...request);
          return { kind: 'answered', status: 200 };
        },
    },
    complaint: /left instead of came, left/,
  },
  'holds the grace in timers of its own, which a stop ends': {
    sabotage: { createStores: storesWithGraceInTimers },
    complaint: /: came instead of came, left/,
  },
  'tells of a leave without waiting for a return': {
    sabotage: {
      createStores: (config, ...rest) =>
        createMemoryStores({ ...config, webhooks: { ...config.webhooks, graceMs: 0 } }, ...rest),
    },
    complaint: /: came, left, came, left instead of came, left/,
  },
  'computes filters and ignores them': {
    sabotage: {
      onParts: ({ endpoints }) => {
        for (const endpoint of endpoints.all()) Object.assign(endpoint, { takes: () => true });
      },
    },
    complaint: /rooms: channel_occupied .+: not asked for/,
  },
  'makes a new id for each attempt': {
    sabotage: { post: withNewIds },
    complaint: /: came in msg_[\w-]+ and in msg_/,
  },
  'forgets at a stop what was not delivered': {
    sabotage: { spooled: () => [] },
    complaint: /instead of came, left/,
  },
  'lets a stale leave undo a later join': {
    sabotage: { createStores: storesWithoutIncarnations },
    complaint: /: came, left instead of came$/m,
  },
  'tells of a vacated channel before its members': {
    sabotage: { createStores: storesThatVacateFirst },
    complaint: /: vacated with \w+ in it/,
  },
};

/** Rightly signed, so that nothing but the id is wrong. */
function withNewIds(post: PostWebhook): PostWebhook {
  return (endpoint, headers, body) => {
    const id = `msg_${randomUUID()}`;
    const { secret } = endpoint.url.host === 'others.test' ? otherApp : testApp;
    const at = new Date(Number(headers['webhook-timestamp']) * 1000);
    const standard = new Webhook(Buffer.from(secret).toString('base64'));
    const signature = standard.sign(id, at, body.toString());
    return post(endpoint, { ...headers, 'webhook-id': id, 'webhook-signature': signature }, body);
  };
}

/** Puts a recorder between the membership store and the outbox. */
function withRecorder(
  alter: (inner: LifecycleRecorder, onClose: (work: () => void) => void) => LifecycleRecorder,
  graceMs?: number,
): CreateStores {
  return (config, deliverHere, tools) => {
    const webhooks = graceMs === undefined ? config.webhooks : { ...config.webhooks, graceMs };
    const stores = createMemoryStores({ ...config, webhooks }, deliverHere, tools);
    if (!(stores.outbox instanceof MemoryOutbox)) throw new Error('not a memory outbox');
    const atClose: (() => void)[] = [];
    const recorder = alter(stores.outbox.lifecycle, (work) => {
      atClose.push(work);
    });
    return {
      ...stores,
      membership: new MemoryMembershipStore(
        (announcement) => void stores.bus.publish({ kind: 'membership', ...announcement }),
        recorder,
      ),
      settle: () => {
        for (const work of atClose) work();
        return stores.settle();
      },
    };
  };
}

function storesWithGraceInTimers(...args: Parameters<CreateStores>): ReturnType<CreateStores> {
  const [{ webhooks }] = args;
  const create = withRecorder((inner, onClose) => {
    const timers = new Map<string, NodeJS.Timeout>();
    onClose(() => {
      for (const timer of timers.values()) clearTimeout(timer);
    });
    const later = (key: string, work: () => void): void => {
      const fire = (): void => {
        timers.delete(key);
        work();
      };
      timers.set(key, setTimeout(fire, webhooks.graceMs));
    };
    /** Whether a leave waited, which is cancelled. */
    const cancel = (key: string): boolean => {
      clearTimeout(timers.get(key));
      return timers.delete(key);
    };
    return {
      occupied: (app, channel) => {
        if (!cancel(`${app} ${channel}`)) inner.occupied(app, channel);
      },
      vacated: (app, channel) => later(`${app} ${channel}`, () => inner.vacated(app, channel)),
      memberAdded: (app, channel, user) => {
        if (!cancel(`${app} ${channel} ${user}`)) inner.memberAdded(app, channel, user);
      },
      memberRemoved: (app, channel, user) =>
        later(`${app} ${channel} ${user}`, () => inner.memberRemoved(app, channel, user)),
      counted: (app, channel, subscriptions) => inner.counted(app, channel, subscriptions),
    };
  }, 0);
  return create(...args);
}

/** A leave takes whatever subscription the socket has, one tick late, as a cleanup by socket id does. */
function storesWithoutIncarnations(...args: Parameters<CreateStores>): ReturnType<CreateStores> {
  const stores = createMemoryStores(...args);
  const { membership } = stores;
  const current = new Map<string, number>();
  return {
    ...stores,
    membership: {
      apply: (changes) => {
        const keyOf = ({ appId, channel, socketId }: (typeof changes)[number]): string =>
          `${appId} ${channel} ${socketId}`;
        for (const change of changes) {
          if (change.kind === 'join') current.set(keyOf(change), change.incarnation);
        }
        const joins = changes.filter(({ kind }) => kind === 'join');
        const leaves = changes
          .filter(({ kind }) => kind === 'leave')
          .map((change) => ({ ...change, incarnation: current.get(keyOf(change)) ?? 0 }));
        const ordered = [...joins, ...leaves];
        const results = membership.apply(ordered);
        if (isPromise(results)) throw new Error('the memory store answers at once');
        const resultOf = new Map(
          ordered.map((change, index) => [`${change.kind} ${keyOf(change)}`, results[index]]),
        );
        return changes.map(
          (change) => resultOf.get(`${change.kind} ${keyOf(change)}`) ?? { kind: 'ignored' },
        );
      },
      snapshot: (...of) => membership.snapshot(...of),
      channels: (...of) => membership.channels(...of),
      channel: (...of) => membership.channel(...of),
      users: (...of) => membership.users(...of),
    },
  };
}

/** Turns the end of a channel round: vacated first, its last member after it. */
function storesThatVacateFirst(...args: Parameters<CreateStores>): ReturnType<CreateStores> {
  const create = withRecorder((inner) => {
    let held: (() => void) | undefined;
    const release = (): void => {
      held?.();
      held = undefined;
    };
    return {
      occupied: (app, channel) => {
        release();
        inner.occupied(app, channel);
      },
      vacated: (app, channel) => {
        inner.vacated(app, channel);
        release();
      },
      memberAdded: (app, channel, user) => {
        release();
        inner.memberAdded(app, channel, user);
      },
      memberRemoved: (app, channel, user) => {
        release();
        held = () => inner.memberRemoved(app, channel, user);
        queueMicrotask(release);
      },
      counted: (app, channel, subscriptions) => inner.counted(app, channel, subscriptions),
    };
  });
  return create(...args);
}
