/** Channels that packed records name by their place here: append only, never change one. */
export const COMMON_CHANNELS: readonly string[] = [
  "phone",
  "sms",
  "email",
  "app",
  "web",
  "store",
  "whatsapp",
  "wechat",
];
