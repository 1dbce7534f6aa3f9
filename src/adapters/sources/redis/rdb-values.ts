import {
  byte,
  length,
  lengths,
  type RdbInput,
  RdbMalformed,
  RdbUnknown,
  type Reading,
  skip,
  string,
  strings,
} from './rdb-input.ts';

const MILLISECONDS_BYTES = 8;
const STREAM_ID_BYTES = 16;

/** A module's value describes itself: opcodes until 0 (RDB_MODULE_OPCODE_… in Redis' rdb.h). */
export function* moduleParts(input: RdbInput): Reading {
  for (;;) {
    const opcode = yield* length(input);
    if (opcode === 0) return;
    if (opcode === 1 || opcode === 2) yield* length(input);
    else if (opcode === 3) yield* skip(input, 4);
    else if (opcode === 4) yield* skip(input, 8);
    else if (opcode === 5) yield* string(input);
    else throw new RdbMalformed(`a module's value has the opcode ${opcode}`);
  }
}

function* moduleValue(input: RdbInput): Reading {
  yield* length(input);
  yield* moduleParts(input);
}

function* many(input: RdbInput, each: (input: RdbInput) => Reading): Reading {
  const count = yield* length(input);
  for (let done = 0; done < count; done += 1) yield* each(input);
}

const pair = (input: RdbInput): Reading => strings(input, 2);

/** Before Redis 4 a score was text after its own length; 253 to 255 are not a number and the infinities. */
function* textScore(input: RdbInput): Reading {
  yield* string(input);
  const size = yield* byte(input);
  if (size < 253) yield* skip(input, size);
}

function* binaryScore(input: RdbInput): Reading {
  yield* string(input);
  yield* skip(input, 8);
}

function* quicklistNode(input: RdbInput): Reading {
  yield* length(input);
  yield* string(input);
}

/** A field with the time at which it ends. */
function* fieldWithEnd(input: RdbInput): Reading {
  yield* length(input);
  yield* pair(input);
}

function* fieldsWithEnd(input: RdbInput): Reading {
  yield* skip(input, MILLISECONDS_BYTES);
  yield* many(input, fieldWithEnd);
}

function* packedFieldsWithEnd(input: RdbInput): Reading {
  yield* skip(input, MILLISECONDS_BYTES);
  yield* string(input);
}

/** `format` 1 is of Redis 5, 2 of 7.0, 3 of 7.2. */
const stream = (format: 1 | 2 | 3) =>
  function* (input: RdbInput): Reading {
    const pending = function* (one: RdbInput): Reading {
      yield* skip(one, STREAM_ID_BYTES + MILLISECONDS_BYTES);
      yield* length(one);
    };
    const consumer = function* (one: RdbInput): Reading {
      yield* string(one);
      yield* skip(one, format === 3 ? 2 * MILLISECONDS_BYTES : MILLISECONDS_BYTES);
      yield* many(one, (identifier) => skip(identifier, STREAM_ID_BYTES));
    };
    const group = function* (one: RdbInput): Reading {
      yield* string(one);
      yield* lengths(one, format === 1 ? 2 : 3);
      yield* many(one, pending);
      yield* many(one, consumer);
    };
    yield* many(input, pair);
    yield* lengths(input, format === 1 ? 3 : 8);
    yield* many(input, group);
  };

interface ValueType {
  /** As Redis' own TYPE says it. */
  readonly name: string;
  readonly read: (input: RdbInput) => Reading;
}

const strung = (input: RdbInput): Reading => many(input, string);
const type = (name: string, read: ValueType['read']): ValueType => ({ name, read });

/** RDB_TYPE_… in the rdb.h of Redis 7.4. What it does not have ends where only its own Redis knows. */
const TYPES: ReadonlyMap<number, ValueType> = new Map([
  [0, type('string', string)],
  [1, type('list', strung)],
  [2, type('set', strung)],
  [3, type('zset', (input) => many(input, textScore))],
  [4, type('hash', (input) => many(input, pair))],
  [5, type('zset', (input) => many(input, binaryScore))],
  [7, type('module', moduleValue)],
  [9, type('hash', string)],
  [10, type('list', string)],
  [11, type('set', string)],
  [12, type('zset', string)],
  [13, type('hash', string)],
  [14, type('list', strung)],
  [15, type('stream', stream(1))],
  [16, type('hash', string)],
  [17, type('zset', string)],
  [18, type('list', (input) => many(input, quicklistNode))],
  [19, type('stream', stream(2))],
  [20, type('set', string)],
  [21, type('stream', stream(3))],
  [24, type('hash', fieldsWithEnd)],
  [25, type('hash', packedFieldsWithEnd)],
]);

/** @throws RdbUnknown */
export function valueType(code: number): ValueType {
  const found = TYPES.get(code);
  if (found === undefined) throw new RdbUnknown(`a value of type ${code}`);
  return found;
}
