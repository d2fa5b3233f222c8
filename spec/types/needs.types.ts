/** A stage is given the services it names and no others. Checked by the compiler: each expected error is a rule. */
import { defineStage } from '../../lib/stages/define-stage.ts';
import type { Stage, StageContext } from '../../lib/stages/stage.ts';
import { nothing, same } from './parts.ts';

const name = 'spec';
const slot = 'message:authorized';

// What must compile.
defineStage({ name, slot, needs: ['apps'], tap: (_, { apps }) => nothing.call(apps) });
defineStage({ name, slot, needs: ['apps', 'bus'], tap: (_, { apps, bus }) => nothing.call([apps, bus]) });
defineStage({ name, slot, tap: (_, { log }) => log.info('seen') });
defineStage({
  name,
  slot,
  tap: (_, { publish }) => publish({ appId: '1', channel: 'c', event: 'e', data: '' }),
});
const needsClock: Stage<string, string, 'clock'> = defineStage({
  name,
  needs: ['clock'],
  map: same<string>,
});

// @ts-expect-error A service that was not asked for is not there.
defineStage({ name, slot, tap: (_, { bus }) => nothing.call(bus) });

// @ts-expect-error Asking for one service gives that one.
defineStage({ name, slot, needs: ['apps'], tap: (_, { bus }) => nothing.call(bus) });

// @ts-expect-error A service has to exist.
defineStage({ name, slot, needs: ['database'], tap: nothing });

// @ts-expect-error Limits are made from the same context as the work.
defineStage({ name, batchEffect: same, limits: ({ config }) => nothing.call(config) });

const takeOneThatNeedsNothing = (stage: Stage<string, string>) => nothing.call(stage);
// @ts-expect-error A stage that needs a service does not pass for one that needs none.
takeOneThatNeedsNothing(needsClock);

// @ts-expect-error An event that is published has data.
defineStage({ name, slot, tap: (_, { publish }) => publish({ appId: '1', channel: 'c', event: 'e' }) });

/** What a stage may know of an app. */
declare const context: StageContext;
// @ts-expect-error A stage never sees the secrets of an app.
nothing.call(context.app('1')?.secret);
