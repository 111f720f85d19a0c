//! The seminars of the season. A table, nothing else.

/// A seminar as it stands in the programme.
pub(super) struct Programme {
    pub(super) title: &'static str,
    pub(super) held_on: &'static str,
    pub(super) place: &'static str,
    pub(super) lecturer: &'static str,
}

const fn seminar(title: &'static str, held_on: &'static str, place: &'static str, lecturer: &'static str) -> Programme {
    Programme { title, held_on, place, lecturer }
}

const ONLINE: &str = "オンライン";
const ODAWARA: &str = "小田原 本社セミナールーム";
const TOKYO: &str = "東京 見本町会場";
const OSAKA: &str = "大阪 例示ホール";

const ANALYST: &str = "市場調査部 アナリスト";
const TRADER: &str = "ディーリング部 担当者";
const SUPPORT: &str = "お客様サポート部";
const TAX: &str = "提携税理士";

/// Thirty seminars in the order of their dates.
pub(super) const SEMINARS: [Programme; 30] = [
    seminar("はじめてのFX 口座開設から最初の取引まで", "2026-12-01", ONLINE, SUPPORT),
    seminar("米雇用統計ライブ解説", "2026-12-04", ONLINE, ANALYST),
    seminar("証拠金とロスカットの仕組み", "2026-12-05", ODAWARA, SUPPORT),
    seminar("ローソク足の基本を学ぶ", "2026-12-08", ONLINE, TRADER),
    seminar("移動平均線の使い方", "2026-12-10", ONLINE, TRADER),
    seminar("年末相場の振り返りと来年の見通し", "2026-12-12", TOKYO, ANALYST),
    seminar("FOMC直前 米ドル/円の注目点", "2026-12-15", ONLINE, ANALYST),
    seminar("取引アプリ 使い方講座", "2026-12-17", ONLINE, SUPPORT),
    seminar("日銀金融政策決定会合の読み方", "2026-12-18", ONLINE, ANALYST),
    seminar("スワップポイント入門", "2026-12-19", OSAKA, SUPPORT),
    seminar("FXの税金と確定申告", "2027-01-09", ONLINE, TAX),
    seminar("新春特別講演 2027年の為替市場", "2027-01-11", TOKYO, ANALYST),
    seminar("損切りを続けるための資金管理", "2027-01-14", ONLINE, TRADER),
    seminar("トレンドラインの引き方", "2027-01-16", ODAWARA, TRADER),
    seminar("ユーロ圏経済の見方", "2027-01-19", ONLINE, ANALYST),
    seminar("注文方法のすべて 指値・逆指値・OCO", "2027-01-21", ONLINE, SUPPORT),
    seminar("豪ドルと資源価格", "2027-01-23", OSAKA, ANALYST),
    seminar("オシレーター系指標の基礎 RSIとストキャスティクス", "2027-01-26", ONLINE, TRADER),
    seminar("米雇用統計ライブ解説 二月号", "2027-02-05", ONLINE, ANALYST),
    seminar("確定申告 直前相談会", "2027-02-06", ODAWARA, TAX),
    seminar("ボリンジャーバンドで値動きの幅を知る", "2027-02-09", ONLINE, TRADER),
    seminar("ポンド/円の値動きと付き合う", "2027-02-13", TOKYO, TRADER),
    seminar("経済指標カレンダーの活用", "2027-02-16", ONLINE, SUPPORT),
    seminar("フィボナッチ・リトレースメント実践", "2027-02-18", ONLINE, TRADER),
    seminar("取引記録のつけ方と見直し方", "2027-02-20", OSAKA, SUPPORT),
    seminar("一目均衡表をやさしく読む", "2027-02-24", ONLINE, TRADER),
    seminar("地政学リスクと円相場", "2027-02-27", TOKYO, ANALYST),
    seminar("フィッシング詐欺から口座を守る", "2027-03-03", ONLINE, SUPPORT),
    seminar("複数の時間足で相場を見る", "2027-03-06", ODAWARA, TRADER),
    seminar("年度末の需給と為替相場", "2027-03-10", ONLINE, ANALYST),
];
