/** Invented people: Chinese names with their romanisation, and English ones. */
import type { Random } from "./random.js";

const SURNAMES = [
  ["王", "Wang"],
  ["李", "Li"],
  ["张", "Zhang"],
  ["刘", "Liu"],
  ["陈", "Chen"],
  ["杨", "Yang"],
  ["黄", "Huang"],
  ["赵", "Zhao"],
  ["吴", "Wu"],
  ["周", "Zhou"],
  ["徐", "Xu"],
  ["孙", "Sun"],
  ["马", "Ma"],
  ["朱", "Zhu"],
  ["胡", "Hu"],
  ["郭", "Guo"],
  ["何", "He"],
  ["林", "Lin"],
  ["高", "Gao"],
  ["罗", "Luo"],
  ["郑", "Zheng"],
  ["梁", "Liang"],
  ["谢", "Xie"],
  ["宋", "Song"],
] as const;

const GIVEN = [
  ["芳", "Fang"],
  ["伟", "Wei"],
  ["娜", "Na"],
  ["敏", "Min"],
  ["静", "Jing"],
  ["强", "Qiang"],
  ["磊", "Lei"],
  ["洋", "Yang"],
  ["艳", "Yan"],
  ["勇", "Yong"],
  ["杰", "Jie"],
  ["娟", "Juan"],
  ["涛", "Tao"],
  ["明", "Ming"],
  ["超", "Chao"],
  ["秀英", "Xiuying"],
  ["霞", "Xia"],
  ["平", "Ping"],
  ["雨桐", "Yutong"],
  ["子涵", "Zihan"],
  ["欣怡", "Xinyi"],
  ["浩然", "Haoran"],
  ["思远", "Siyuan"],
  ["佳琪", "Jiaqi"],
  ["志强", "Zhiqiang"],
  ["建国", "Jianguo"],
  ["丽华", "Lihua"],
  ["晓东", "Xiaodong"],
] as const;

const FIRST = [
  "Emma",
  "James",
  "Olivia",
  "Daniel",
  "Grace",
  "Henry",
  "Sophie",
  "Lucas",
  "Alice",
  "Thomas",
  "Hannah",
  "Oscar",
  "Nora",
  "Samuel",
  "Clara",
  "Peter",
  "Julia",
  "Martin",
  "Laura",
  "Simon",
] as const;

const LAST = [
  "Smith",
  "Brown",
  "Taylor",
  "Wilson",
  "Evans",
  "Walker",
  "Wright",
  "Green",
  "Hall",
  "Wood",
  "Clarke",
  "Hughes",
  "Baker",
  "Turner",
  "Cooper",
  "Morgan",
  "Bell",
  "Murphy",
  "Price",
  "Reed",
] as const;

export interface PersonName {
  readonly name: string;
  /** Latin letters, for mail addresses and second accounts. */
  readonly latin: string;
}

export function chineseName(random: Random): PersonName {
  const [surname, surnameLatin] = random.pick(SURNAMES);
  const [given, givenLatin] = random.pick(GIVEN);
  return { name: surname + given, latin: `${givenLatin} ${surnameLatin}` };
}

export function englishName(random: Random): PersonName {
  const name = `${random.pick(FIRST)} ${random.pick(LAST)}`;
  return { name, latin: name };
}
