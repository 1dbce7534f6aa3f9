import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readScript } from '../../src/adapters/sources/mariadb/read-script.ts';
import { type Statement, scanStatements } from '../../src/adapters/sources/mariadb/statement-scanner.ts';

interface Scanned {
  readonly statements: readonly string[];
  readonly rows: readonly number[];
  readonly comments: readonly string[];
  readonly end: string | null;
}

/** Scans a script that comes in chunks of these lengths, over and over. */
function scanned(script: string, lengths: readonly number[] = [Number.MAX_SAFE_INTEGER]): Scanned {
  const statements: Statement[] = [];
  const comments: string[] = [];
  const scanner = scanStatements({
    onStatement: (statement) => statements.push(statement),
    onComment: (line) => comments.push(line),
  });
  const bytes = Buffer.from(script);
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const chunk = Buffer.from(bytes.subarray(at, at + (lengths[turn % lengths.length] ?? 1)));
    scanner.take(chunk);
    at += chunk.length;
    chunk.fill(0x27); // its memory is used again
  }
  const end = scanner.end();
  return {
    statements: statements.map(({ head }) => head.toString().trim()),
    rows: statements.map(({ rows }) => rows),
    ...{ comments, end },
  };
}

const SCRIPT = `-- one; 'line
/* a ; comment ' of
-- lines */ SET x = 'a;''b\\';' , "q\\";'" /*!50003 , y = 1 */; # it's; the end
INSERT INTO \`a;''b\\\` VALUES ('),(', 1),('x',2),
(0xFF00,-1.5e-7);
DELIMITER ;;
CREATE TRIGGER t BEGIN select ';'; -- don't;;
  insert into x values (1),(2); end ;;
/*!50003 CREATE*/ /*!50017 DEFINER=\`r\`*/ /*!50003 PROCEDURE p() select 1--1 */;;
DELIMITER ;
/*!50003 SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */ ;
SELECT 'ends with \\', "a\\";
/*!50003 SET sql_mode = @saved_sql_mode */ ;
SELECT 'goes on \\'; still';
-- Dump completed
`;

test('statements end where the client ends them, whatever stands in strings, names, comments and bodies', () => {
  const { statements, rows, comments, end } = scanned(SCRIPT);
  expect(end).toBeNull();
  expect(statements).toEqual([
    `SET x = 'a;''b\\';' , "q\\";'" /*!50003 , y = 1 */`,
    "INSERT INTO `a;''b\\` VALUES ('),(', 1),('x',2),\n(0xFF00,-1.5e-7)",
    "CREATE TRIGGER t BEGIN select ';'; \n  insert into x values (1),(2); end".replace('\n', ''),
    '/*!50003 CREATE*/ /*!50017 DEFINER=`r`*/ /*!50003 PROCEDURE p() select 1--1 */',
    "/*!50003 SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */",
    'SELECT \'ends with \\\', "a\\"',
    '/*!50003 SET sql_mode = @saved_sql_mode */',
    "SELECT 'goes on \\'; still'",
  ]);
  expect(rows[1]).toBe(3);
  expect(comments).toEqual(["-- one; 'line", "# it's; the end", "-- don't;;", '-- Dump completed']);
});

test('a script is the same in chunks of any length', () => {
  const whole = scanned(SCRIPT.repeat(3));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 }), (lengths) => {
      expect(scanned(SCRIPT.repeat(3), lengths)).toEqual(whole);
    }),
  );
});

/** mysql_real_escape_string(3), as mariadb-dump writes text. */
const ESCAPES = { '\0': '0', '\n': 'n', '\r': 'r', '\x1a': 'Z', '\\': '\\', "'": "'", '"': '"' };
const escaped = (text: string): string =>
  Object.entries(ESCAPES).reduce(
    (rest, [character, letter]) => (character === '\\' ? rest : rest.replaceAll(character, `\\${letter}`)),
    text.replaceAll('\\', '\\\\'),
  );

test('rows of any text are counted exactly', () => {
  const texts = fc.array(fc.string({ unit: 'binary', maxLength: 30 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 70 }), (all, length) => {
      const values = all.map((text, index) => `(${index},'${escaped(text)}',NULL)`).join(',\n');
      const reader = readScript();
      const script = `-- Host: localhost    Database: d\n-- --------------------------\nCREATE TABLE \`t\` (\n  a int\n);\nINSERT INTO \`t\` VALUES\n${values};\n-- Dump completed\n`;
      const bytes = Buffer.from(script);
      for (let at = 0; at < bytes.length; at += length) reader.take(bytes.subarray(at, at + length));
      expect(reader.end()).toEqual({ tables: { 'd.t': all.length } });
    }),
  );
});

test.for([
  ["SELECT 'a", 'a string'],
  ['SELECT `a', 'a name'],
  ['/* a', 'a comment'],
  ['SELECT 1', 'a statement'],
])('a script that ends as %s ends in the middle of %s', ([script, within]) => {
  expect(scanned(script ?? '').end).toBe(within);
});
