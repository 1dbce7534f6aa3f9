import { expect, test } from 'vitest';
import { inStartOrder, neededBy } from '../../src/domain/start-order.ts';

const container = (id: string, createdAt: string, service?: string, needs?: string) => ({
  ...{ id, createdAt },
  labels: {
    ...(service === undefined ? {} : { 'com.docker.compose.project': 'wiki', 'com.docker.compose.service': service }),
    ...(needs === undefined ? {} : { 'com.docker.compose.depends_on': needs }),
  },
});

test('a database that was made anew after its application starts before it nevertheless', () => {
  const made = [
    container('app', '2026-01-01', 'app', 'db:service_healthy:false,cache:service_started:true'),
    container('alone', '2026-01-02'),
    container('cache', '2026-01-03', 'cache', ''),
    container('db', '2026-02-01', 'db', ''),
    container('app-2', '2026-02-02', 'app', 'db:service_healthy:false,cache:service_started:true'),
    // of no project, whatever it says
    { ...container('other', '2025-12-31'), labels: { 'com.docker.compose.depends_on': 'app' } },
  ];
  const order = inStartOrder(made).map(({ id }) => id);
  expect(order).toEqual(['other', 'db', 'cache', 'app', 'app-2', 'alone']);
  expect(inStartOrder(made.toReversed()).map(({ id }) => id)).toEqual(order);
});

test('what a container needs is read from the words of every Compose 2, and not known without them', () => {
  expect(neededBy({ 'com.docker.compose.depends_on': 'db,cache:service_started' })).toEqual(new Set(['db', 'cache']));
  expect(neededBy({ 'com.docker.compose.depends_on': '' })).toEqual(new Set());
  expect(neededBy({})).toBeNull();
});
