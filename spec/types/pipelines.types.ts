/** A pipeline is made of stages that fit each other. Checked by the compiler: each expected error is a rule. */
import type { Observable } from 'rxjs';
import { defineStage } from '../../lib/stages/define-stage.ts';
import type { MessageReceived, PublishedEvent, PublishReceived } from '../../lib/stages/events.ts';
import { authorize } from '../../lib/stages/message/authorize.ts';
import { answerError, type Sender, transportOf } from '../../lib/stages/message/answer-error.ts';
import { decode } from '../../lib/stages/message/decode.ts';
import { open } from '../../lib/stages/message/open.ts';
import { perform } from '../../lib/stages/message/perform.ts';
import { check } from '../../lib/stages/publish/check.ts';
import { fanOut } from '../../lib/stages/publish/fan-out.ts';
import { type Publisher, refused } from '../../lib/stages/publish/refuse-publish.ts';
import { errorExit, type Pipeline, pipeline } from '../../lib/stages/pipeline.ts';
import { runPipeline } from '../../lib/stages/runner.ts';
import type { Services } from '../../lib/stages/services.ts';
import { nothing } from './parts.ts';

const message = () => pipeline<Sender, MessageReceived>('message');
const opened = () => message().to(open);
const decoded = () => opened().to(decode);
const authorized = () => decoded().to(authorize);
declare const source$: Observable<MessageReceived>;
declare const services: Services;
const options = { signal: new AbortController().signal };

// What must compile.
const finished = authorized().slot('message:authorized').to(perform).refused(answerError);
runPipeline(finished, source$, services, options);
message().inOrder('connectionLanes', transportOf).to(open).to(decode).to(authorize).to(perform);
pipeline<Publisher, PublishedEvent>('publish').slot('publish:accepted').to(fanOut).refused(refused);
pipeline<Publisher, PublishReceived>('publish').to(check);

// @ts-expect-error Neighbours agree: what is opened has to be decoded before it is authorised.
opened().to(authorize);

// @ts-expect-error Neighbours agree: nothing is performed that was not authorised.
decoded().to(perform);

// @ts-expect-error The first stage takes what the pipeline takes.
message().to(decode);

// @ts-expect-error A stage takes the items of its own pipeline.
message().to(check);

// @ts-expect-error A stage does not give something the error exit cannot answer.
message().to(defineStage({ name: 'odd', map: () => 'text' }));

// @ts-expect-error A slot stands where its items flow: these are not authorised yet.
decoded().slot('message:authorized');

// @ts-expect-error A slot stands in its own pipeline.
authorized().slot('publish:accepted');

// @ts-expect-error A slot has to exist.
authorized().slot('message:performed');

// @ts-expect-error Without an error exit a pipeline is not finished.
runPipeline(authorized().to(perform), source$, services, options);

// @ts-expect-error An error exit answers everything that flows in its pipeline.
authorized().refused(errorExit([], (_error, item: { readonly answer: () => void }) => item.answer()));

// @ts-expect-error An error exit of one pipeline does not answer the items of another.
authorized().refused(refused);

// @ts-expect-error An error exit is given the services it names and no others.
errorExit([], (_error, _item: Sender, { fanout }) => nothing.call(fanout));

// @ts-expect-error A source gives what the pipeline takes.
runPipeline(finished, source$ as unknown as Observable<PublishedEvent>, services, options);

declare const withoutMembership: Omit<Services, 'membership'>;
// @ts-expect-error Every service a stage needs has to be there.
runPipeline(finished, source$, withoutMembership, options);

// @ts-expect-error A pipeline is told when to stop.
runPipeline(finished, source$, services, {});

// @ts-expect-error Only `refused` makes a pipeline: a list of steps is none.
export const forged: Pipeline<MessageReceived, never> = { name: 'forged', steps: [] };

// @ts-expect-error Order is kept by lanes that exist.
message().inOrder('messageLanes', transportOf);

// @ts-expect-error The lanes of connections are keyed by their wires.
message().inOrder('connectionLanes', ({ frame }: MessageReceived) => frame);

const byTransport = ({ transport }: MessageReceived) => transport;
// @ts-expect-error What an order is read from is there until the end of the pipeline: opened messages have no transport.
message().inOrder('connectionLanes', byTransport).to(open);
