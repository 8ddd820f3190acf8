export * from './setting.ts';
export { allowPlaintextSetting, httpHostsSetting } from './ports.ts';
export { readSettings, flagOf, variableOf, withoutSettings, type SettingsOf, type SettingsTable } from './read.ts';
export { settingsHelp, settingsMarkdown } from './document.ts';
export { logBoundsOf, logFileOf, logFileSettings } from './log-file.ts';
