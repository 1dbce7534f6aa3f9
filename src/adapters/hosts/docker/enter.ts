import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Command, Finished } from '../../../ports/host.ts';
import { type EngineEnvironment, engineProblem, saysNoContainer } from '../../../process/container-engine.ts';
import type { Enter } from '../../../process/enter.ts';
import { runCommand } from '../../../process/run.ts';

export interface Entrance {
  readonly program: 'docker' | 'podman';
  readonly container: string;
  readonly environment: EngineEnvironment;
  readonly graceMs: number;
}

/** Becomes the program, after it told its number: `docker exec` leaves it running when the client ends, so it has to be
 *  ended by a second one. The container's own variables are taken away, all but those that are named. */
const BECOME = `_mark=$1 _folder=$2 _keep=$3; shift 3
echo "$_mark $$" >&2
if [ -n "$_folder" ]; then cd -- "$_folder" 2>/dev/null || { echo "$_mark folder" >&2; exit 126; }; fi
command -v "$1" >/dev/null 2>&1 || { echo "$_mark missing" >&2; exit 127; }
for _name in $(env | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p') PWD OLDPWD SHLVL; do
  case " $_keep " in *" $_name "*) ;; *) unset "$_name" ;; esac
done
exec "$@"`;

/** Ends a process group: TERM, then KILL after so many tenths of a second. Of a zombie, which few containers have
 *  somebody to reap, nothing runs: it is not waited for. proc(5), stat: behind the name in brackets its state, its parent
 *  and its group. No `--`, which the kill of neither dash nor BusyBox takes. */
const END = `runs() {
  for _stat in /proc/[0-9]*/stat; do
    read -r _line 2>/dev/null <"$_stat" || continue
    set -- "$1" \${_line##*) }
    [ "$2" = Z ] || [ "$4" != "$1" ] || return 0
  done
  return 1
}
kill -TERM "-$1" 2>/dev/null || exit 0
count=0
while runs "$1" && [ "$count" -lt "$(($2 + 10))" ]; do
  [ "$count" -lt "$2" ] || kill -KILL "-$1" 2>/dev/null
  count=$((count + 1)); sleep 0.1
done
exit 0`;

const KEPT = ['PATH', 'HOME', 'LANG', 'LC_ALL'];
/** How long a program that is ended at its very start may take to tell its number. */
const NUMBER_LIMIT_MS = 5000;
const END_LIMIT_MS = 60_000;

/** How programs are run in a container. */
export function enterContainer({ program, container, environment, graceMs }: Entrance): Enter {
  return (command) => {
    const mark = `holdfast-${randomUUID()}`;
    const told = Promise.withResolvers<number | null>();
    let problem: string | null = null;
    const names = Object.keys(command.environment ?? {});
    const account = command.runAs === undefined ? [] : ['--user', command.runAs];
    // Only names: values would be seen in the client's arguments.
    const variables = ['--env', 'LANG=C.UTF-8', '--env', 'LC_ALL=C', ...names.flatMap((name) => ['--env', name])];
    const folder = command.workingFolder ?? '';
    const inside = ['sh', '-c', BECOME, 'sh', mark, folder, [...KEPT, ...names].join(' '), command.program];
    const args = ['exec', '--interactive', ...account, ...variables, container, ...inside, ...command.args];
    return {
      command: { program, args, environment: { ...environment, ...command.environment } },
      takeLine(line) {
        if (!line.startsWith(mark)) return false;
        const rest = line.slice(mark.length + 1);
        if (/^\d+$/.test(rest)) told.resolve(Number(rest));
        else problem = rest;
        return true;
      },
      async stop() {
        const late = setTimeout(() => told.resolve(null), NUMBER_LIMIT_MS);
        const number = await told.promise;
        clearTimeout(late);
        if (number === null) return;
        const words = ['sh', '-c', END, 'sh', `${number}`, `${Math.ceil(graceMs / 100)}`];
        const end = { program, args: ['exec', ...account, container, ...words], environment };
        const accept = Array.from({ length: 256 }, (_, code) => code);
        await runCommand(end, { signal: AbortSignal.timeout(END_LIMIT_MS), accept }).catch(() => undefined);
      },
      judge(finished) {
        told.resolve(null); // without a number it never ran
        if (problem !== null) throw notRun(command, problem, container);
        return ofProgram(finished, { program, container, environment, graceMs });
      },
    };
  };
}

function notRun({ program, workingFolder = '' }: Command, problem: string, container: string): HoldfastError {
  if (problem === 'folder')
    return new HoldfastError(
      'SourceMissing',
      `${program} cannot run in ${workingFolder}: no such folder.`,
      workingFolder,
    );
  return new HoldfastError('ToolMissing', `${program} is not installed in container ${container}.`, program);
}

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** The client ends with 128 and the number of the signal that ended the program. */
function ofProgram(finished: Finished, { program, container }: Entrance): Finished {
  const { exitCode, stderrTail } = finished;
  const problem = exitCode === 0 ? null : engineProblem(program, stderrTail);
  if (problem !== null) throw problem;
  if (exitCode !== 0 && (saysNoContainer(stderrTail) || /is not running/.test(stderrTail)))
    throw new HoldfastError('ProcessFailed', `Container ${container} does not run: ${stderrTail.trim()}`, container, {
      hint: `Start it: ${program} start ${container}`,
    });
  const signal = exitCode === null ? undefined : SIGNALS.get(exitCode - 128);
  return signal === undefined ? finished : { ...finished, exitCode: null, signal };
}
