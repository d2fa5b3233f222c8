import { describe, expect, test } from '@jest/globals';
import { UserConnections } from '../../../lib/channels/user-connections.ts';
import { createApp, SpecNode } from './node.ts';

describe('the connections of a user', () => {
  test('are those that were added', () => {
    const node = new SpecNode();
    const users = new UserConnections();
    const [a, b] = [node.connect().connection, node.connect().connection];
    users.add('ada', a);
    users.add('ada', b);
    expect([...users.of('app-1', 'ada')]).toEqual([a, b]);
  });

  test('are nobody when none was added', () => {
    expect(new UserConnections().of('app-1', 'ada').size).toBe(0);
  });

  test('of another app are not among them', () => {
    const node = new SpecNode();
    const users = new UserConnections();
    users.add('ada', node.connect(createApp('app-2')).connection);
    expect(users.of('app-1', 'ada').size).toBe(0);
  });

  test('count a connection that was added twice once', () => {
    const { connection } = new SpecNode().connect();
    const users = new UserConnections();
    users.add('ada', connection);
    users.add('ada', connection);
    expect(users.of('app-1', 'ada').size).toBe(1);
  });

  test('are forgotten with the last one', () => {
    const { connection } = new SpecNode().connect();
    const users = new UserConnections();
    users.add('ada', connection);
    users.remove('ada', connection);
    expect(users.size).toBe(0);
  });

  test('stay as they are when one is removed that is not among them', () => {
    const node = new SpecNode();
    const users = new UserConnections();
    users.add('ada', node.connect().connection);
    users.remove('ada', node.connect().connection);
    expect(users.size).toBe(1);
  });
});
