/** Features in plain words: for whoever is told why, and never trained a model. */
import type { Language } from "./script.js";

type Words = Readonly<Record<Language, string>>;

const CHANNELS: Readonly<Record<string, Words>> = {
  phone: { en: "phone", zh: "电话" },
  sms: { en: "text message", zh: "短信" },
  email: { en: "e-mail", zh: "邮件" },
  app: { en: "app", zh: "App" },
  web: { en: "web", zh: "网页" },
  store: { en: "shop", zh: "门店" },
};

const ACTIVITIES: Readonly<Record<string, Words>> = {
  activity: { en: "sign of life", zh: "活动" },
  call_inbound: { en: "call to us", zh: "来电" },
  call_outbound: { en: "call from us", zh: "去电" },
  cart_add: { en: "product put into the cart", zh: "加入购物车" },
  checkout_start: { en: "start of a checkout", zh: "开始结算" },
  complaint_opened: { en: "complaint", zh: "投诉" },
  contact: { en: "contact from us", zh: "我方联系" },
  coupon_issued: { en: "coupon issued", zh: "发放优惠券" },
  coupon_redeemed: { en: "coupon redeemed", zh: "使用优惠券" },
  message_open: { en: "message opened", zh: "打开消息" },
  message_sent: { en: "message from us", zh: "发送消息" },
  order: { en: "order", zh: "下单" },
  payment_failed: { en: "failed payment", zh: "支付失败" },
  return: { en: "return", zh: "退货" },
  view: { en: "look at a product", zh: "浏览产品" },
};

const SOURCES: Readonly<Record<string, Words>> = {
  personal_frequency: { en: "how often they buy this", zh: "会员购买此产品的频率" },
  replenishment: { en: "how due the next one is", zh: "补货到期程度" },
  co_purchase: {
    en: "how often it is bought with what they buy",
    zh: "与会员已购产品一起购买的频率",
  },
  session_neighbours: { en: "what others with like visits chose", zh: "浏览行为相似的顾客的选择" },
  successors: { en: "whether it follows what they bought", zh: "是否为已购产品的后续产品" },
  category_affinity: { en: "their taste for the category", zh: "会员对该品类的偏好" },
  popularity: { en: "popularity with everyone", zh: "整体热销程度" },
  new_arrivals: { en: "how new it is", zh: "新品程度" },
};

const WORDS: Readonly<Record<string, Words>> = {
  // Of a candidate.
  bought_times: { en: "times they bought it", zh: "购买此产品的次数" },
  bought_share: { en: "share of their orders with it", zh: "含此产品的订单占比" },
  bought_basket_decayed: {
    en: "how often they bought it in their latest orders",
    zh: "近几次订单中购买此产品的频率",
  },
  bought_time_decayed: { en: "how often they bought it lately", zh: "近期购买此产品的频率" },
  bought_baskets_ago: { en: "orders since they last bought it", zh: "上次购买此产品以来的订单数" },
  bought_days_ago: { en: "days since they last bought it", zh: "距上次购买此产品的天数" },
  bought_last_basket: { en: "whether it was in the last order", zh: "上次订单是否含此产品" },
  expected_gap_days: { en: "days one usually lasts", zh: "此产品通常可用天数" },
  cadence_ratio: {
    en: "days since bought, against how long it lasts",
    zh: "距上次购买天数与可用天数之比",
  },
  popularity_log: { en: "how well it sells", zh: "产品销量" },
  popularity_rank_log: { en: "its place among best sellers", zh: "产品销量排名" },
  popularity_recent_log: { en: "how well it sells lately", zh: "产品近期销量" },
  popularity_trend: { en: "whether it sells better than before", zh: "产品销量走势" },
  repeat_rate: { en: "how often people buy it again", zh: "产品复购率" },
  product_cadence_days: {
    en: "days after which people buy it again",
    zh: "顾客复购此产品的间隔天数",
  },
  price_log: { en: "its price", zh: "产品价格" },
  price_to_level: { en: "its price against what they usually pay", zh: "价格与会员常购价位之比" },
  category_share: { en: "share of the category in what they buy", zh: "该品类在会员购买中的占比" },
  category_bucket_share: {
    en: "share of the category in all they ever bought",
    zh: "该品类在会员全部购买中的占比",
  },
  co_purchase_max: { en: "the strongest tie to something they bought", zh: "与已购产品的最强关联" },
  touched_days_ago: { en: "days since they looked at it", zh: "距上次浏览此产品的天数" },
  touched_cart: { en: "whether they put it into the cart", zh: "是否加入过购物车" },
  age_days: { en: "days it has been on sale", zh: "产品上架天数" },
  source_count: { en: "how many grounds speak for it", zh: "支持推荐的依据数量" },
  fused_rank: { en: "its place before the ranking", zh: "初选名次" },
  member_orders: { en: "orders they placed", zh: "会员订单数" },
  member_mean_gap_days: { en: "days between their orders", zh: "会员平均下单间隔天数" },
  member_days_since_order: { en: "days since their last order", zh: "距会员上次下单的天数" },
  member_basket_size: { en: "products in an order of theirs", zh: "会员每单产品数" },
  member_novelty: { en: "how often they try something new", zh: "会员尝试新品的倾向" },
  member_touches: { en: "products they looked at", zh: "会员浏览过的产品数" },
  cart_size: { en: "products in the cart", zh: "购物车中的产品数" },
  // In place of all that would be of a member, where nobody's past went into the answer.
  no_history: { en: "that there is no history to go by", zh: "没有可依据的会员历史" },
  // Of a member.
  order_count: { en: "orders", zh: "订单数" },
  order_value_mean: { en: "value of an order", zh: "平均订单金额" },
  order_lines_mean: { en: "products in an order", zh: "平均每单产品数" },
  order_units_mean: { en: "units in an order", zh: "平均每单件数" },
  price_level: { en: "what they usually pay for a product", zh: "常购价位" },
  gap_mean_days: { en: "days between orders", zh: "平均下单间隔天数" },
  gap_sd_days: { en: "how regular the days between orders are", zh: "下单间隔的规律性" },
  gap_last_days: { en: "days between the last two orders", zh: "最近两次下单的间隔天数" },
  silence_ratio: { en: "silence, against their own rhythm", zh: "沉默时间与自身节奏之比" },
  silence_z: { en: "how unusual their silence is", zh: "沉默的异常程度" },
  orders_per_year: { en: "orders a year", zh: "每年订单数" },
  alive: { en: "chance that they still buy from us", zh: "仍是活跃顾客的可能性" },
  expected_orders_30d: { en: "orders expected within 30 days", zh: "未来30天预期订单数" },
  days_since_first_order: { en: "days since the first order", zh: "距首次下单的天数" },
  distinct_products: { en: "different products bought", zh: "买过的不同产品数" },
  repeat_line_share: { en: "share of products bought again", zh: "重复购买占比" },
  last_basket_lines: { en: "products in the last order", zh: "最近一单的产品数" },
  lines_span_days: { en: "days the kept orders reach back", zh: "订单记录跨度天数" },
  touched_products: { en: "products looked at", zh: "浏览过的产品数" },
  complaints_open: { en: "open complaints", zh: "未解决的投诉数" },
  return_money: { en: "value of returns", zh: "退货金额" },
  night_share: { en: "how much they do at night", zh: "夜间活动占比" },
  morning_share: { en: "how much they do in the morning", zh: "上午活动占比" },
  afternoon_share: { en: "how much they do in the afternoon", zh: "下午活动占比" },
  evening_share: { en: "how much they do in the evening", zh: "晚间活动占比" },
  category_buckets: { en: "categories they buy from", zh: "购买的品类数" },
  category_top_share: { en: "share of their first category", zh: "首选品类占比" },
  category_entropy: { en: "how widely they buy", zh: "购买品类的广度" },
  tenure_days: { en: "days they have been with us", zh: "成为会员的天数" },
};

const DECAYED: Readonly<Record<string, Words>> = {
  orders: { en: "orders lately", zh: "近期订单" },
  money: { en: "money spent lately", zh: "近期消费金额" },
  views: { en: "products looked at lately", zh: "近期浏览" },
  carts: { en: "products put into the cart lately", zh: "近期加入购物车" },
};

const HABITS: Readonly<Record<string, (channel: Words) => Words>> = {
  contacts: (one) => ({ en: `contacts by ${one.en}`, zh: `${one.zh}联系次数` }),
  response_rate: (one) => ({ en: `how often they answer by ${one.en}`, zh: `${one.zh}回应率` }),
  orders: (one) => ({ en: `orders by ${one.en}`, zh: `${one.zh}订单数` }),
};

/** Names that are built from parts: what they begin or end with, and the words for the rest. */
const PATTERNS: readonly (readonly [RegExp, (...parts: string[]) => Words | undefined])[] = [
  [/^source_(\w+)$/, (source) => own(SOURCES, source)],
  [/^(orders|money|views|carts)_decayed_(\d+)d$/, (of, days) => withDays(DECAYED[of]!, days)],
  [
    /^days_since_(\w+)$/,
    (what) =>
      mapped(own(ACTIVITIES, what), ({ en, zh }) => ({
        en: `days since the last ${en}`,
        zh: `距上次${zh}的天数`,
      })),
  ],
  [
    /^(\w+)_(contacts|response_rate|orders)$/,
    (channel, habit) => mapped(own(CHANNELS, channel), HABITS[habit]!),
  ],
  [
    /^(\w+)_count$/,
    (what) =>
      mapped(own(ACTIVITIES, what), ({ en, zh }) => ({
        en: `number of times: ${en}`,
        zh: `${zh}次数`,
      })),
  ],
];

const own = (table: Readonly<Record<string, Words>>, name: string): Words | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

const mapped = (words: Words | undefined, to: (words: Words) => Words): Words | undefined =>
  words === undefined ? undefined : to(words);

const withDays = ({ en, zh }: Words, days: string): Words => ({
  en: `${en} (halved every ${days} days)`,
  zh: `${zh}（每${days}天权重减半）`,
});

/** undefined: a feature this table does not know, as an attribute an operator declared. */
export function featureWords(name: string, language: Language): string | undefined {
  const known = own(WORDS, name);
  if (known !== undefined) return known[language];
  for (const [pattern, words] of PATTERNS) {
    const found = pattern.exec(name);
    const said = found === null ? undefined : words(...found.slice(1));
    if (said !== undefined) return said[language];
  }
  return undefined;
}
