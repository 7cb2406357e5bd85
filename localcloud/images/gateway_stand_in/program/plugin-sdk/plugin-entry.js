export function definePluginEntry(entry) {
  return entry;
}
