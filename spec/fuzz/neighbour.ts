import { TestApi } from '../support/api.ts';
import { connect, type TestClient } from '../support/client.ts';

export interface NeighbourApp {
  readonly port: number;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
}

/**
 * A healthy app beside the fuzzed one, with channels and users of the same names. It must hear what it says itself, and
 * nothing else.
 */
export class Neighbour {
  readonly #api: TestApi;
  readonly #speaker: TestClient;
  readonly #listener: TestClient;
  #round = 0;

  private constructor(api: TestApi, speaker: TestClient, listener: TestClient) {
    this.#api = api;
    this.#speaker = speaker;
    this.#listener = listener;
  }

  static async open(app: NeighbourApp): Promise<Neighbour> {
    const [speaker, listener] = [await connect(app), await connect(app)];
    for (const client of [speaker, listener]) {
      for (const channel of ['a', 'cache-a', 'private-a', 'private-encrypted-a'])
        await client.subscribed(channel);
      await client.subscribed('presence-a', { user_id: client === speaker ? 'u1' : 'u2' });
    }
    listener.signin({ id: 'u1' });
    await listener.waitFor('pusher:signin_success');
    await speaker.drain();
    await listener.drain();
    return new Neighbour(new TestApi(app), speaker, listener);
  }

  /** A client event or a publish, alternately. Answers what was wrong with what arrived. */
  async echo(): Promise<string | undefined> {
    const round = ++this.#round;
    const data = `${round} of-the-neighbour`;
    const isPublish = round % 2 === 0;
    const channel = isPublish ? 'a' : 'private-a';
    const event = isPublish ? 'echo' : 'client-echo';
    if (isPublish) await this.#api.trigger(channel, event, data);
    else this.#speaker.send({ event, channel, data });
    const expected = JSON.stringify({ event, channel, data });
    const heard = [(await this.#listener.next()).raw, ...(await rawOf(this.#listener))];
    const heardBySpeaker = await rawOf(this.#speaker);
    if (
      heard.length === 1 &&
      heard[0] === expected &&
      heardBySpeaker.join() === (isPublish ? expected : '')
    ) {
      return undefined;
    }
    return `echo ${round}: the neighbour heard ${heard.join(' ')} and ${heardBySpeaker.join(' ')}`;
  }

  async close(): Promise<void> {
    await Promise.all([this.#speaker.close(), this.#listener.close()]);
    this.#api.close();
  }
}

async function rawOf(client: TestClient): Promise<readonly string[]> {
  return (await client.drain()).map((frame) => frame.raw);
}
