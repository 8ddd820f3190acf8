import * as settings from '@flotilla/service/settings';

/** What the data plane is told when it runs from an Envoy bootstrap file. */
export const staticSettings = {
  configPath: settings.path({ description: 'Envoy v3 bootstrap, YAML or JSON; also -c' }),
  mode: settings.oneOf(['serve', 'validate'], { description: 'run, or only check the file', standard: 'serve' }),
  concurrency: settings.integer({
    description: 'worker processes that share the ports',
    standard: '1',
    min: 1,
    max: 1024,
  }),
  httpHosts: settings.httpHostsSetting,
  allowPlaintext: settings.allowPlaintextSetting('administration'),
  drainTime: settings.duration({ description: 'how long requests may go on while it stops', standard: '5s' }),
  logLevel: settings.oneOf(['debug', 'info', 'warn', 'error'], { description: 'least level', standard: 'info' }),
  logFormat: settings.oneOf(['json', 'pretty'], { description: 'form of the log', standard: 'json' }),
};
