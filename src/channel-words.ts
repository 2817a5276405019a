/** What people and their systems call a channel. What is not plain stays out. */
const CALLED: Readonly<Record<string, string>> = {
  telephone: "phone",
  tel: "phone",
  call: "phone",
  calls: "phone",
  voice: "phone",
  text: "sms",
  texts: "sms",
  "e-mail": "email",
};

/** Without regard to case and blanks around it. */
export const plain = (text: string): string => text.trim().toLowerCase();

/** The usual name of what somebody called a channel. */
export function channelCalled(said: string): string {
  const word = plain(said);
  return Object.hasOwn(CALLED, word) ? CALLED[word]! : word;
}
