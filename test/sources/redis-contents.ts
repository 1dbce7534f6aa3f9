import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RedisServer } from '../services/redis.ts';

const execute = promisify(execFile);

/** Commands of redis-cli's own syntax: keys and values of any bytes, every type in its small and its large encoding,
 *  several databases, times to live, consumers of streams, functions. */
export const HOSTILE = [
  String.raw`set "\x00\xff\n\r\"key\" " "\x00\x01\x02\xfe\xff"`,
  'set "" ""',
  'set number 12345',
  'set negative -2147483648',
  `set packed ${'ab'.repeat(3000)}`,
  'set größe "ä\\"ö"',
  'setbit bits 100000 1',
  'pfadd hll a b c',
  'rpush list "" "\\x00" 1 2 -3 70000000000',
  ...Array.from({ length: 300 }, (_, count) => `rpush longlist element-${count}-${'x'.repeat(200)}`),
  'sadd integers 1 2 3 -4 70000000000',
  'sadd small a "\\xff\\x00" c',
  ...Array.from({ length: 300 }, (_, count) => `sadd large member-${count}`),
  'zadd scores 1 a -inf b inf c 0.1 d 1e300 "\\x00"',
  ...Array.from({ length: 300 }, (_, count) => `zadd manyscores ${count / 3} member-${count}`),
  'hset hash f v "" "" "\\x00\\xff" "\\xff\\x00"',
  ...Array.from({ length: 600 }, (_, count) => `hset largehash field-${count} ${'y'.repeat(1 + (count % 90))}`),
  'pexpire largehash 900000000',
  'geoadd places 13.361389 38.115556 Palermo',
  'xadd stream 1-1 field value "\\x00" "\\xff"',
  ...Array.from({ length: 200 }, (_, count) => `xadd stream ${count + 2}-0 n ${count}`),
  'xdel stream 5-0',
  'xgroup create stream "group one" 0',
  'xgroup create stream other $',
  'xreadgroup group "group one" alice count 7 streams stream >',
  'xreadgroup group "group one" bob count 3 streams stream >',
  'xack stream "group one" 2-0',
  'xgroup create emptystream g $ mkstream',
  'set session token px 900000000',
  'function load "#!lua name=lib\\nredis.register_function(\'answer\', function() return 42 end)"',
  'select 3',
  'set other database',
  'select 15',
  'lpush last one',
];

/** What the server has of each type by {@link HOSTILE}. */
export const HOSTILE_TYPES = { hash: 2, list: 3, set: 3, stream: 2, string: 10, zset: 3 };

export async function fill(server: Pick<RedisServer, 'socket'>, lines: readonly string[]): Promise<void> {
  const running = execute('redis-cli', ['-e', '-s', server.socket], { maxBuffer: 2 ** 26 });
  running.child.stdin?.end(`${lines.join('\n')}\n`);
  const { stdout } = await running;
  const errors = stdout.split('\n').filter((line) => /^\(?(?:ERR|WRONGTYPE|NO)/.test(line));
  if (errors.length > 0) throw new Error(errors.join('; '));
}

/** Every key of every database with its type, its end and its value, as hexadecimal text, sorted; functions too. */
const CONTENTS = String.raw`
local function hex(value)
  if type(value) == 'table' and value.ok then value = value.ok end
  if type(value) ~= 'table' then return (tostring(value):gsub('.', function(c) return string.format('%02x', c:byte()) end)) end
  local parts = {}
  for _, one in ipairs(value) do parts[#parts + 1] = hex(one) end
  return '[' .. table.concat(parts, ',') .. ']'
end
local function sorted(value, step)
  local parts = {}
  for at = 1, #value, step do
    local words = {}
    for offset = 0, step - 1 do words[#words + 1] = hex(value[at + offset]) end
    parts[#parts + 1] = table.concat(words, '=')
  end
  table.sort(parts)
  return table.concat(parts, ',')
end
local READ = {
  string = function(key) return hex(redis.call('GET', key)) end,
  list = function(key) return hex(redis.call('LRANGE', key, 0, -1)) end,
  set = function(key) return sorted(redis.call('SMEMBERS', key), 1) end,
  zset = function(key) return sorted(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), 2) end,
  hash = function(key) return sorted(redis.call('HGETALL', key), 2) end,
  stream = function(key)
    local said = hex(redis.call('XRANGE', key, '-', '+'))
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      said = said .. ' ' .. hex(group) .. hex(redis.call('XPENDING', key, group[2]))
    end
    return said
  end,
}
local lines = {}
for database = 0, 15 do
  redis.call('SELECT', database)
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local kind = redis.call('TYPE', key).ok
    lines[#lines + 1] = database .. ' ' .. hex(key) .. ' ' .. kind .. ' ' .. redis.call('PEXPIRETIME', key) .. ' ' .. READ[kind](key)
  end
end
table.sort(lines)
return table.concat(lines, '\n')`;

export const contentsOf = async (server: Pick<RedisServer, 'cli'>): Promise<readonly string[]> => [
  await server.cli('FUNCTION', 'LIST', 'WITHCODE'),
  ...(await server.cli('EVAL', CONTENTS, '0')).split('\n'),
];
