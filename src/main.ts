import packageJson from '../package.json' with { type: 'json' };

const { version } = packageJson;
const argv = process.argv.slice(2);

// POSIX.1-2024, 8.3: what an empty TZ means is the system's to say, and every libc says UTC; Temporal takes it for no zone.
if (process.env.TZ === '') process.env.TZ = 'UTC';

// Answered before anything else is read: scripts ask often.
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) process.stdout.write(`${version}\n`);
else {
  // The bundle's files are named after what they and those they import hold.
  const hash = /-([0-9A-Z]{8})\.js$/.exec(import.meta.url)?.[1];
  const program = { version, build: hash === undefined ? null : `${hash} ${process.version}` };
  const { runOnTerminal } = await import('./cli/terminal.ts');
  const { openApplication } = await import('./application.ts');
  await runOnTerminal(argv, {
    open: (request, globals, face) => openApplication(request, globals, face, program),
    machine: async () => (await import('./machine.ts')).openMachine(),
    undumpedDatabases: async (configuration, signal) => {
      const { undumpedDatabases } = await import('./undumped-databases.ts');
      const { openLocalHost } = await import('./hosts.ts');
      return undumpedDatabases(configuration, await openLocalHost(), signal);
    },
    monotonicMs: () => performance.now(),
  });
}
