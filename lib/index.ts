export type { Connection, SignedInUser } from './channels/connection.ts';
export type { Batch } from './flow/fair-batches.ts';
export type { ChannelName } from './protocol/channel-name.ts';
export { defineStage, type SlotStage } from './stages/define-stage.ts';
export type {
  AuthorizedMessage,
  ConnectionAdmitted,
  ConnectionEstablished,
  ConnectionSettled,
  PublishedEvent,
} from './stages/events.ts';
export type { ServiceName, Services } from './stages/services.ts';
export type { SlotName, Slots } from './stages/slots.ts';
export { DROP, type Drop, type Refusal, type StageContext } from './stages/stage.ts';
export type { WebhookPayload, WebhookReady } from './webhooks/turn.ts';
