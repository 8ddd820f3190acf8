import { Command, CommanderError, Option } from 'commander';
import { FlotillaError, holdYoungGeneration } from '@flotilla/runtime';
import { ExitCode, exitCodeOf } from '@flotilla/service/process';
import { ownStandardStreams, printMessage } from '@flotilla/sockets/standard-streams';

/*
 * The command line. Every command lives in a file of its own under commands/ and is loaded when it is called:
 * a sidecar must not load what only `flotilla get` needs.
 */
ownStandardStreams();
const program = new Command('flotilla')
  .description("A service mesh: Istio's configuration in, Envoy's xDS on the wire")
  .version('0.1.0')
  .exitOverride()
  .enablePositionalOptions()
  .configureHelp({ sortSubcommands: true })
  .showHelpAfterError('Run "flotilla help" for the commands and their options.');

const output = (...formats: readonly string[]) =>
  new Option('-o, --output <format>', 'machine-readable').choices(formats);
const logFormat = (standard: string) =>
  new Option('--log-format <format>', 'form of the log').choices(['pretty', 'json']).default(standard);
const logLevel = (standard: string) =>
  new Option('-l, --log-level <level>', 'least level').choices(['debug', 'info', 'warn', 'error']).default(standard);
const repeat = (value: string, previous: string[] = []) => [...previous, value];
const httpHosts = () =>
  new Option('--http-hosts <name>', 'name by which browsers may call the HTTP ports; may be repeated').argParser(
    repeat,
  );
const allowPlaintext = (what: string) =>
  new Option('--allow-plaintext', `${what} without TLS off loopback [FLOTILLA_ALLOW_PLAINTEXT]`);

program
  .command('up')
  .description('run a whole mesh on this machine from a mesh file, until interrupted')
  .option('-f, --file <file>', 'mesh file', 'mesh.yaml')
  .option('--data <directory>', 'keep certificates and applied configuration here; without it they end with the mesh')
  .option('--begin-anew <part:identity>', 'begin anew what was lost, as the refusal of a start names it', repeat)
  .option('--any-port', 'take free ports instead of the fixed ones of the mesh file')
  .option('--certificate-ttl <duration>', "lifetime of workload certificates, instead of the mesh file's")
  .option('--log-max-bytes <number>', 'size at which the log of a process is moved aside', '10485760')
  .option('--log-max-files <number>', 'files that are kept of each log', '3')
  .option('--envoy <path>', 'stock Envoy, for workloads whose proxy is envoy')
  .option('--envoy-for <workload>', 'run this workload or gateway with stock Envoy; may be repeated', repeat)
  .addOption(output('json'))
  .addOption(logFormat('pretty'))
  .addOption(logLevel('warn'))
  .action(async (options) => (await import('./commands/up.ts')).up(options));

program
  .command('control-plane')
  .description('run galley, citadel and pilot in one process, for any xDS client')
  .option('-f, --file <directory>', 'directory of YAML, watched; may be repeated', repeat)
  .option('--mesh-config <file>', 'MeshConfig as YAML')
  .option('--data <directory>', 'keep the store and the root key here')
  .option('--begin-anew <part:identity>', 'begin anew what was lost, as the refusal of a start names it', repeat)
  .option('--trust-domain <name>', 'trust domain of the identities', 'cluster.local')
  .option('--max-certificate-ttl <duration>', 'longest lifetime of a workload certificate', '24h')
  .option('--xds <address>', 'xDS without TLS, for clients on this machine')
  .option('--xds-tls <address>', 'xDS with mutual TLS')
  .option('--ca <address>', 'certificate authority')
  .option('--api <address>', 'API for tools')
  .addOption(httpHosts())
  .addOption(allowPlaintext('API and xDS may listen'))
  .option('--otlp-endpoint <url>', 'send spans here by OTLP/HTTP; default OTEL_EXPORTER_OTLP_ENDPOINT')
  .option('--unlisted', 'do not make this the mesh that later commands mean')
  .addOption(logFormat('pretty'))
  .addOption(logLevel('info'))
  .action(async (options) => (await import('./commands/control-plane.ts')).controlPlane(options));

hosted('agent', 'run a proxy with its identity: a sidecar or a gateway', async (argv) => {
  const { runAgent } = await import('@flotilla/proxy');
  return runAgent(argv);
});

hosted('capture', "turn this network namespace's connections to the proxy in it, by iptables", async (argv) => {
  const { runCapture } = await import('@flotilla/proxy/capture');
  return runCapture(argv);
});

hosted('galley', 'run galley as a service of its own', async (argv) => {
  const { galleyService } = await import('@flotilla/galley');
  return (await import('@flotilla/service')).runService(galleyService, argv);
});

hosted('citadel', 'run citadel as a service of its own', async (argv) => {
  const { citadelService } = await import('@flotilla/citadel');
  return (await import('@flotilla/service')).runService(citadelService, argv);
});

hosted('pilot', 'run pilot as a service of its own', async (argv) => {
  const { pilotService } = await import('@flotilla/pilot');
  return (await import('@flotilla/service')).runService(pilotService, argv);
});

program
  .command('proxy')
  .description('run the data plane from an Envoy v3 bootstrap file')
  .requiredOption('-c, --config-path <file>', 'bootstrap, YAML or JSON')
  .addOption(new Option('--mode <mode>', 'run, or only check the file').choices(['serve', 'validate']).default('serve'))
  .option('--concurrency <workers>', 'worker processes that share the ports', '1')
  .addOption(httpHosts())
  .addOption(allowPlaintext('administration may listen'))
  .addOption(logFormat('pretty'))
  .addOption(logLevel('info'))
  .action(async (options) => {
    holdYoungGeneration();
    return (await import('./commands/proxy.ts')).proxy(options);
  });

withApi(program.command('apply').description('apply YAML: all of it as one version, or nothing'))
  .requiredOption('-f, --file <path>', 'file, directory or - for standard input; may be repeated', repeat)
  .option('-n, --namespace <name>', 'namespace of documents that name none')
  .option('--force', 'accept references to what does not exist')
  .option('--wait', 'return when every proxy has acknowledged')
  .addOption(output('json'))
  .action(async (options) => (await import('./commands/apply.ts')).apply(options));

withApi(program.command('delete').description('delete the resources that YAML names'))
  .requiredOption('-f, --file <path>', 'file, directory or - for standard input; may be repeated', repeat)
  .option('-n, --namespace <name>', 'namespace of documents that name none')
  .option('--force', 'delete although something refers to it')
  .option('--ignore-not-found', 'deleting what does not exist is no error')
  .option('--wait', 'return when every proxy has acknowledged')
  .addOption(output('json'))
  .action(async (options) => (await import('./commands/delete.ts')).deleteResources(options));

withApi(program.command('get').description('show resources').argument('[kind]').argument('[name]'))
  .option('-n, --namespace <name>', 'only this namespace')
  .addOption(output('yaml', 'json'))
  .action(async (kind, name, options) => (await import('./commands/get.ts')).get(kind, name, options));

withApi(program.command('validate').description('check YAML without applying it'))
  .requiredOption('-f, --file <path>', 'file, directory or - for standard input; may be repeated', repeat)
  .option('-n, --namespace <name>', 'namespace of documents that name none')
  .option('--with-mesh', 'judge the documents together with what the running mesh has')
  .addOption(output('json'))
  .action(async (options) => (await import('./commands/validate.ts')).validate(options));

withApi(program.command('proxy-status').description('show which proxy has which configuration'))
  .addOption(output('json'))
  .action(async (options) => (await import('./commands/proxy-status.ts')).proxyStatus(options));

const token = program.command('token').description('make, list and revoke the tokens that proxies start with');

withApi(token.command('create', { isDefault: true }).description('make a bootstrap token for one workload (default)'))
  .requiredOption('--service-account <name>', 'service account')
  .option('-n, --namespace <name>', 'namespace', 'default')
  .option('--workload <name>', 'only for this workload; default: any of the service account')
  .option('--ttl <duration>', 'how long the token is good for', '1h')
  .option('--uses <number>', 'how many proxies may start with it; default: 1')
  .option(
    '--reusable',
    'any number may, until it expires or is revoked: where containers start again with the same token',
  )
  .option('--label <name=value>', 'describe the workload, as a WorkloadGroup: a label; may be repeated', repeat)
  .option('--port <name=number>', 'describe the workload: where a port is; may be repeated', repeat)
  .option('--address <address>', 'describe the workload: where it may be; may be repeated', repeat)
  .addOption(
    new Option('--type <type>', 'describe the workload: of which type its proxies are').choices(['sidecar', 'router']),
  )
  .action(async (options) => (await import('./commands/token.ts')).createToken(options));

withApi(token.command('list').description('show the tokens that are known, and what became of them'))
  .addOption(output('json'))
  .action(async (options) => (await import('./commands/token.ts')).listTokens(options));

withApi(token.command('revoke').description('end tokens, and the renewal of the certificates that go back to them'))
  .argument('<id...>', 'as the list shows it, or the token itself')
  .action(async (ids, options) => (await import('./commands/token.ts')).revokeTokens(ids, options));

/** A program that reads its settings itself; `--help` after its name lists them. */
function hosted(name: string, description: string, run: (argv: readonly string[]) => Promise<number>): void {
  program
    .command(name)
    .description(`${description}; "flotilla ${name} --help" lists its settings`)
    .usage('[settings]')
    .argument('[settings...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (argv: readonly string[]) => process.exit(await run(argv)));
}

program
  .command('secrets')
  .description('make the files that the services of a new mesh start with: root, keys, passwords and bootstrap tokens')
  .requiredOption('--out <directory>', 'where; files that are there already stay')
  .option(
    '--workload <namespace/service-account[/workload]>',
    'make a reusable bootstrap token for it; may be repeated',
    repeat,
  )
  .option('--ttl <duration>', 'how long the tokens are good for', '8760h')
  .option(
    '--mode <mode>',
    'of the files; 0644 for containers of other users, in a directory closed to all but you',
    '0600',
  )
  .option('--trust-domain <name>', 'trust domain of the identities', 'cluster.local')
  .action(async (options) => (await import('./commands/secrets.ts')).secrets(options));

program
  .command('env')
  .description('print what other tools need to reach the mesh that runs here, for eval "$(flotilla env)"')
  .action(async () => (await import('./commands/env.ts')).printEnvironment());

function withApi(command: Command): Command {
  return command
    .option(
      '--api <url>',
      'galley, or the one API of an embedded mesh [FLOTILLA_API]; default: the mesh started last here',
    )
    .option('--pilot <url>', 'a pilot that is not behind --api; may be repeated [FLOTILLA_PILOT_API]', repeat)
    .option('--citadel <url>', 'citadel, when it is not behind --api [FLOTILLA_CITADEL_API]')
    .option('--ca-roots <file>', "the mesh's root certificate, for https addresses [FLOTILLA_CA_ROOTS]")
    .option('--trust-domain <name>', 'of the identities that services must have [FLOTILLA_TRUST_DOMAIN]')
    .option(
      '--token <token>',
      'admin token [FLOTILLA_ADMIN_TOKEN, FLOTILLA_ADMIN_TOKEN_FILE]; default: of the mesh here',
    )
    .option('--allow-plaintext', 'send the token without TLS off loopback [FLOTILLA_ALLOW_PLAINTEXT]');
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the message already; 0 is for --help and --version.
    process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  } else {
    const failure = FlotillaError.from(error);
    printMessage(`flotilla: ${failure.describe()}`);
    if (failure.code === 'internal' && failure.stack !== undefined) printMessage(failure.stack);
    // A command that failed is over, whatever it still had open.
    process.exit(exitCodeOf(failure));
  }
}
