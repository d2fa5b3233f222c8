import type { Clock } from '../../flow/clock.ts';
import type { MaybePromise } from '../../flow/maybe-promise.ts';
import type { ChannelViews } from '../../membership/redis/channel-views.ts';
import { partitionOf } from '../../cluster/partition.ts';
import type { StoreLink, Topic, TopicMessage } from '../../redis/store-link.ts';
import type { Bus, BusMessage, EventMessage, TerminateMessage } from '../bus.ts';
import { Interests } from './interests.ts';
import {
  channelOf,
  channelTopic,
  readEvent,
  readHead,
  readTerminate,
  readUser,
  type SentText,
  writeEvent,
  writeHead,
  writeTerminate,
} from './message-text.ts';

/** One message in so many carries the time, so that its way back can be measured. */
const sampledOneIn = 64;

export interface RedisBusTools {
  readonly link: StoreLink;
  readonly clock: Clock;
  readonly nodeId: string;
  readonly views: Pick<ChannelViews, 'setInterest' | 'listening' | 'heard'>;
  /** Takes each message to the connections of this node. */
  readonly deliverHere: (message: BusMessage) => void;
  /** A message on this topic could not be understood; it is left out. */
  readonly onMalformed: (topic: string) => void;
  /** A message could not be delivered here, or a channel not be listened to. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * The bus of several nodes beside one store. What is published is delivered here at once, and said to the others on the
 * topic of its channel, at most once; while the store is away it stays here. Changes of membership and sign-ins are not
 * published by nodes: the scripts that make them say so, to this node as to the others.
 */
export class RedisBus implements Bus {
  readonly #tools: RedisBusTools;
  readonly #interests: Interests;
  #sent = 0;
  #dropped = 0;
  #received = 0;
  #malformed = 0;
  #lagMs = 0;

  constructor(tools: RedisBusTools) {
    this.#tools = tools;
    this.#interests = new Interests({
      ...tools,
      onListening: (appId, channel) => tools.views.listening(appId, channel),
    });
    void tools.link.messages$.forEach((message) => this.#hear(message));
  }

  /** Messages that were said to other nodes. */
  get sent(): number {
    return this.#sent;
  }

  /** Messages that were delivered here only, because the store was away. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Messages of others, nodes and scripts, that were taken. */
  get received(): number {
    return this.#received;
  }

  get malformed(): number {
    return this.#malformed;
  }

  /** How long the last message that was measured took to come back, in milliseconds. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** Channels that are listened to, those that linger, and those that are not confirmed yet. */
  get channels(): Pick<Interests, 'size' | 'lingering' | 'fresh'> {
    return this.#interests;
  }

  /** Hears what concerns every node. Fulfilled when that is so. */
  async open(): Promise<void> {
    const { link } = this.#tools;
    await link.listen(Array.from({ length: link.partitions }, (_, partition) => systemTopic(partition)));
  }

  close(): void {
    this.#interests.close();
  }

  /** Changes of membership and of users go no further than this node: their scripts tell the others. */
  publish(message: BusMessage): void {
    this.#deliver(message);
    if (message.kind === 'event') this.#sendEvent(message);
    else if (message.kind === 'terminate') this.#sendTerminate(message);
  }

  setInterest(appId: string, channel: string, interested: boolean): void {
    this.#tools.views.setInterest(appId, channel, interested);
    if (interested) this.#interests.add(appId, channel);
    else this.#interests.remove(appId, channel);
  }

  listening(appId: string, channel: string): MaybePromise<void> {
    return this.#interests.listening(appId, channel);
  }

  #sendEvent(message: EventMessage): void {
    const { appId, channel } = message;
    const { link, nodeId } = this.#tools;
    const partition = partitionOf(appId, channel, link.partitions);
    const head = writeHead('e', nodeId, this.#sent % sampledOneIn === 0 ? performance.now() : undefined);
    this.#send(channelTopic(appId, channel, partition), head + writeEvent(message));
  }

  #sendTerminate(message: TerminateMessage): void {
    const { link, nodeId } = this.#tools;
    const partition = partitionOf(message.appId, message.userId, link.partitions);
    this.#send(systemTopic(partition), writeHead('t', nodeId) + writeTerminate(message));
  }

  #send(topic: Topic, text: string): void {
    if (this.#tools.link.publish(topic, text)) this.#sent++;
    else this.#dropped++;
  }

  /** Whatever one message does, the next is heard. */
  #hear(heard: TopicMessage): void {
    try {
      if (this.#isUnderstood(heard)) return;
      this.#malformed++;
      this.#tools.onMalformed(heard.name);
    } catch (error) {
      this.#tools.onFailed(error);
    }
  }

  #isUnderstood({ name, message }: TopicMessage): boolean {
    const channel = channelOf(name);
    if (channel !== undefined) return this.#hearOfChannel(message, ...channel);
    return name !== 'sys' || this.#hearOfSystem(message);
  }

  /** False: the message cannot be understood. */
  #hearOfChannel(text: string, appId: string, channel: string): boolean {
    if (text.startsWith('m')) {
      this.#received++;
      return this.#tools.views.heard(appId, channel, text.slice(1));
    }
    if (!text.startsWith('e')) return false;
    // What lingers has no subscriber.
    if (!this.#interests.isWanted(appId, channel)) return true;
    return this.#hearOfNode(text, (json) => readEvent(json, appId, channel));
  }

  /** Ownership (`o`) and quotas (`q`) are heard by others. */
  #hearOfSystem(text: string): boolean {
    if (text.startsWith('t')) return this.#hearOfNode(text, readTerminate);
    if (text.startsWith('u')) return this.#take(readUser(text.slice(1)));
    return text.startsWith('o') || text.startsWith('q');
  }

  #hearOfNode(text: string, read: (json: string) => BusMessage | undefined): boolean {
    const sent = readHead(text);
    if (sent?.sender === this.#tools.nodeId) this.#measure(sent);
    else return sent !== undefined && this.#take(read(sent.json));
    return true;
  }

  #measure({ sentAtMs }: SentText): void {
    if (sentAtMs !== undefined) this.#lagMs = Math.max(0, performance.now() - sentAtMs);
  }

  #take(message: BusMessage | undefined): boolean {
    if (message === undefined) return false;
    this.#received++;
    this.#deliver(message);
    return true;
  }

  #deliver(message: BusMessage): void {
    try {
      this.#tools.deliverHere(message);
    } catch (error) {
      this.#tools.onFailed(error);
    }
  }
}

function systemTopic(partition: number): Topic {
  return { partition, name: 'sys' };
}
