import { expect, test } from 'vitest';

const noon = Temporal.Instant.from('2025-12-02T12:00:00Z');

test('two different times are not taken for equal by the tests themselves', () => {
  expect(() => expect({ at: noon }).toEqual({ at: noon.add({ nanoseconds: 1 }) })).toThrow();
  expect(() => expect([{ at: noon }]).toMatchObject([{ at: noon.add({ hours: 1 }) }])).toThrow();
  expect(() => expect({ at: noon }).toEqual({ at: String(noon) })).toThrow();
  expect({ at: noon, other: null }).toEqual({ at: Temporal.Instant.from(String(noon)), other: null });
});
