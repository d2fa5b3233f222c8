import type { MessageReceived } from '../lib/stages/events.ts';
import { answerError, type Sender, transportOf } from '../lib/stages/message/answer-error.ts';
import { authorize } from '../lib/stages/message/authorize.ts';
import { decode } from '../lib/stages/message/decode.ts';
import { limitClientEvents } from '../lib/stages/message/limit-client-events.ts';
import { open } from '../lib/stages/message/open.ts';
import { perform } from '../lib/stages/message/perform.ts';
import { pipeline } from '../lib/stages/pipeline.ts';

/** A client sends a frame: it is decoded, limited, authorised and done, one after the other for each connection. */
export const message = pipeline<Sender, MessageReceived>('message')
  .inOrder('connectionLanes', transportOf)
  .to(open)
  .to(decode)
  .to(limitClientEvents)
  .to(authorize)
  .slot('message:authorized')
  .to(perform)
  .refused(answerError);
