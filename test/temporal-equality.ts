import { expect } from 'vitest';

/** Values of Temporal have no properties of their own, so that `toEqual` takes any two for equal (vitest 5.1). Here they
 *  are equal when they are of one type and print the same. */
const equalTemporal = (one: unknown, other: unknown): boolean | undefined => {
  const [type, otherType] = [temporalType(one), temporalType(other)];
  if (type === null && otherType === null) return undefined; // not ours to judge
  return type === otherType && String(one) === String(other);
};

const temporalType = (value: unknown): string | null => {
  const tag = Object.prototype.toString.call(value); // `[object Temporal.Instant]`
  return tag.startsWith('[object Temporal.') ? tag : null;
};

expect.addEqualityTesters([equalTemporal]);
