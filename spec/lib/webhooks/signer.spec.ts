import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import Pusher from 'pusher';
import { Webhook } from 'standardwebhooks';
import { toBody } from '../../../lib/webhooks/payload.ts';
import { signedHeaders } from '../../../lib/webhooks/signer.ts';
import { endpointFor } from './endpoint-for.ts';

const batch = { id: 'msg_1', body: toBody(1, [{ name: 'client_event', channel: 'c', data: 'å🎈' }]) };
const sdk = { appId: 'shop', key: 'shop-key', host: '127.0.0.1' };
const pusher = new Pusher({ ...sdk, secret: 'shop-secret' });

function standardAccepts(headers: Record<string, string>, body: Buffer, secret: string): boolean {
  try {
    new Webhook(secret).verify(body.toString(), headers);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: 'WebhookVerificationError' });
    return false;
  }
}

describe('the headers of an attempt', () => {
  test('have the signature of the vector in protocol.md 8', () => {
    const body = toBody(1_327_078_148_132, [{ name: 'channel_occupied', channel: 'my-channel' }]);
    const endpoint = endpointFor('http://localhost/', {}, { secret: '7ad3773142a6692b25b8' });
    expect(signedHeaders(endpoint, { id: 'msg_1', body }, 0)['x-pusher-signature']).toBe(
      'c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf',
    );
  });

  test('are accepted by the Pusher SDK, and for a changed body or another secret are not', () => {
    const headers = { ...signedHeaders(endpointFor('http://localhost/'), batch, Date.now()) };
    const isValid = (rawBody: string, judge = pusher) => judge.webhook({ headers, rawBody }).isValid();
    expect(isValid(batch.body.toString())).toBe(true);
    expect(isValid(`${batch.body.toString()} `)).toBe(false);
    const other = new Pusher({ ...sdk, secret: 'another' });
    expect(isValid(batch.body.toString(), other)).toBe(false);
  });

  test('are accepted by Standard Webhooks, under the secret of the endpoint or else of the app', () => {
    const own = `whsec_${Buffer.from('a secret of its own').toString('base64')}`;
    const ofApp = `whsec_${Buffer.from('shop-secret').toString('base64')}`;
    const plain = { ...signedHeaders(endpointFor('http://localhost/'), batch, Date.now()) };
    const special = {
      ...signedHeaders(endpointFor('http://localhost/', { signingSecret: own }), batch, Date.now()),
    };
    expect(standardAccepts(plain, batch.body, ofApp)).toBe(true);
    expect(standardAccepts(special, batch.body, own)).toBe(true);
    expect(standardAccepts(special, batch.body, ofApp)).toBe(false);
    expect(standardAccepts({ ...plain, 'webhook-id': 'msg_2' }, batch.body, ofApp)).toBe(false);
  });

  test('are exactly these', () => {
    expect(signedHeaders(endpointFor('http://localhost/'), batch, 1_700_000_000_999)).toEqual({
      'content-type': 'application/json',
      'content-length': String(batch.body.length),
      'x-pusher-key': 'shop-key',
      'x-pusher-signature': expect.stringMatching(/^[0-9a-f]{64}$/),
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1700000000',
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
    });
  });

  test('change from attempt to attempt in timestamp and Standard Webhooks signature only', () => {
    const endpoint = endpointFor('http://localhost/');
    const first = signedHeaders(endpoint, batch, 1_000_000);
    const second = signedHeaders(endpoint, batch, 2_000_000);
    const changed = Object.keys(first).filter((name) => first[name] !== second[name]);
    expect(changed).toEqual(['webhook-timestamp', 'webhook-signature']);
  });

  test('carry what the configuration adds', () => {
    const headers = { Authorization: 'Bearer x', 'X-Tenant': 'shop' };
    expect(signedHeaders(endpointFor('http://localhost/', { headers }), batch, 0)).toMatchObject({
      authorization: 'Bearer x',
      'x-tenant': 'shop',
    });
  });

  test('are the same whatever headers of the request itself the configuration sets', () => {
    const names = fc.constantFrom(
      ...['Content-Type', 'content-length', 'X-Pusher-Key', 'X-PUSHER-SIGNATURE', 'x-pusher-anything'],
      ...['Webhook-Id', 'webhook-timestamp', 'webhook-signature', 'User-Agent', 'Host', 'Connection'],
      ...['Transfer-Encoding', 'Keep-Alive', 'Upgrade', 'TE', 'Trailer', 'Expect', 'Content-Encoding'],
      ...['Proxy-Authorization', 'Proxy-Connection', 'Proxy-Authenticate'],
    );
    const plain = signedHeaders(endpointFor('http://localhost/'), batch, 0);
    fc.assert(
      fc.property(fc.dictionary(names, fc.constant('forged')), (headers) => {
        expect(signedHeaders(endpointFor('http://localhost/', { headers }), batch, 0)).toEqual(plain);
      }),
    );
  });

  test('make an authorization of a user and password in the URL, unless the configuration sets one', () => {
    const url = 'http://ann:p%40ss%zz@localhost/';
    const basic = `Basic ${Buffer.from('ann:p@ss%zz').toString('base64')}`;
    expect(signedHeaders(endpointFor(url), batch, 0)).toMatchObject({ authorization: basic });
    const headers = { Authorization: 'Bearer x' };
    expect(signedHeaders(endpointFor(url, { headers }), batch, 0)).toMatchObject({
      authorization: 'Bearer x',
    });
  });
});
