/**
 * Calling codes of the world but +1: which country a number belongs to and which time zones it may
 * lie in. Written from the numbering plans of the national regulators (ITU-T E.164 gives the codes)
 * and the IANA time zone database. Zones that keep the same time are named by one of them.
 */

/** `prefixes COUNTRY[-STATE] zones`; the longest prefix decides. A country with several zones has all
 * of them on its own code, and longer prefixes where a number surely lies in fewer. */
export const WORLD_PLAN = `
20 EG Africa/Cairo
211 SS Africa/Juba
212 MA Africa/Casablanca
2125288,2125289 EH Africa/El_Aaiun
213 DZ Africa/Algiers
216 TN Africa/Tunis
218 LY Africa/Tripoli
220 GM Africa/Banjul
221 SN Africa/Dakar
222 MR Africa/Nouakchott
223 ML Africa/Bamako
224 GN Africa/Conakry
225 CI Africa/Abidjan
226 BF Africa/Ouagadougou
227 NE Africa/Niamey
228 TG Africa/Lome
229 BJ Africa/Porto-Novo
230 MU Indian/Mauritius
231 LR Africa/Monrovia
232 SL Africa/Freetown
233 GH Africa/Accra
234 NG Africa/Lagos
235 TD Africa/Ndjamena
236 CF Africa/Bangui
237 CM Africa/Douala
238 CV Atlantic/Cape_Verde
239 ST Africa/Sao_Tome
240 GQ Africa/Malabo
241 GA Africa/Libreville
242 CG Africa/Brazzaville
243 CD Africa/Kinshasa Africa/Lubumbashi
244 AO Africa/Luanda
245 GW Africa/Bissau
246 IO Indian/Chagos
247 AC Atlantic/St_Helena
248 SC Indian/Mahe
249 SD Africa/Khartoum
250 RW Africa/Kigali
251 ET Africa/Addis_Ababa
252 SO Africa/Mogadishu
253 DJ Africa/Djibouti
254 KE Africa/Nairobi
255 TZ Africa/Dar_es_Salaam
256 UG Africa/Kampala
257 BI Africa/Bujumbura
258 MZ Africa/Maputo
260 ZM Africa/Lusaka
261 MG Indian/Antananarivo
262 RE Indian/Reunion Indian/Mayotte
262262,262263,262692,262693 RE Indian/Reunion
262269,262639 YT Indian/Mayotte
263 ZW Africa/Harare
264 NA Africa/Windhoek
265 MW Africa/Blantyre
266 LS Africa/Maseru
267 BW Africa/Gaborone
268 SZ Africa/Mbabane
269 KM Indian/Comoro
27 ZA Africa/Johannesburg
290 SH Atlantic/St_Helena
2908 TA Atlantic/St_Helena
291 ER Africa/Asmara
297 AW America/Aruba
298 FO Atlantic/Faroe
299 GL America/Nuuk America/Danmarkshavn America/Scoresbysund America/Thule

30 GR Europe/Athens
31 NL Europe/Amsterdam
32 BE Europe/Brussels
33 FR Europe/Paris
34 ES Europe/Madrid Atlantic/Canary
3481,3482,3483,3484,3485,3486,3487,3488 ES Europe/Madrid
3491,3492,3493,3494,3495,3496,3497,3498 ES Europe/Madrid
34822,34828,34922,34928 ES Atlantic/Canary
350 GI Europe/Gibraltar
351 PT Europe/Lisbon Atlantic/Madeira Atlantic/Azores
3512 PT Europe/Lisbon
35129 PT Europe/Lisbon Atlantic/Madeira Atlantic/Azores
351291 PT Atlantic/Madeira
351292,351295,351296 PT Atlantic/Azores
352 LU Europe/Luxembourg
353 IE Europe/Dublin
354 IS Atlantic/Reykjavik
355 AL Europe/Tirane
356 MT Europe/Malta
357 CY Asia/Nicosia Asia/Famagusta
358 FI Europe/Helsinki
35818 AX Europe/Mariehamn
359 BG Europe/Sofia
36 HU Europe/Budapest
370 LT Europe/Vilnius
371 LV Europe/Riga
372 EE Europe/Tallinn
373 MD Europe/Chisinau
374 AM Asia/Yerevan
375 BY Europe/Minsk
376 AD Europe/Andorra
377 MC Europe/Monaco
378 SM Europe/San_Marino
380 UA Europe/Kyiv
38065,38069 UA Europe/Kyiv Europe/Simferopol
381 RS Europe/Belgrade
382 ME Europe/Podgorica
383 XK Europe/Belgrade
385 HR Europe/Zagreb
386 SI Europe/Ljubljana
387 BA Europe/Sarajevo
389 MK Europe/Skopje
39 IT Europe/Rome
3906698 VA Europe/Vatican
40 RO Europe/Bucharest
41 CH Europe/Zurich
420 CZ Europe/Prague
421 SK Europe/Bratislava
423 LI Europe/Vaduz
43 AT Europe/Vienna
44 GB Europe/London
441481,447781,447839 GG Europe/Guernsey
441534,447797 JE Europe/Jersey
441624,447624,447924 IM Europe/Isle_of_Man
45 DK Europe/Copenhagen
46 SE Europe/Stockholm
47 NO Europe/Oslo
4779 SJ Arctic/Longyearbyen
48 PL Europe/Warsaw
49 DE Europe/Berlin

500 FK Atlantic/Stanley
501 BZ America/Belize
502 GT America/Guatemala
503 SV America/El_Salvador
504 HN America/Tegucigalpa
505 NI America/Managua
506 CR America/Costa_Rica
507 PA America/Panama
508 PM America/Miquelon
509 HT America/Port-au-Prince
51 PE America/Lima
52 MX America/Mexico_City America/Cancun America/Matamoros America/Ciudad_Juarez America/Hermosillo America/Mazatlan America/Tijuana
5255,5256,5233,5281 MX America/Mexico_City
52222,52228,52229,52246,52271,52272,52312,52313,52314,52322,52351,52353,52442,52443,52444,52449 MX America/Mexico_City
52452,52461,52462,52477,52492,52493,52722,52744,52747,52755,52771,52773,52775,52777,52833,52834 MX America/Mexico_City
52844,52871,52921,52922,52938,52951,52961,52962,52963,52967,52981,52993,52999 MX America/Mexico_City
52983,52984,52987,52998 MX America/Cancun
52867,52868,52899 MX America/Matamoros
52656 MX America/Ciudad_Juarez
52622,52631,52633,52638,52642,52644,52662 MX America/Hermosillo
52311,52612,52624,52667,52668,52669 MX America/Mazatlan
52646,52661,52664,52665,52686 MX America/Tijuana
53 CU America/Havana
54 AR America/Argentina/Buenos_Aires
55 BR America/Noronha America/Sao_Paulo America/Bahia America/Maceio America/Recife America/Fortaleza America/Araguaina America/Belem America/Campo_Grande America/Cuiaba America/Porto_Velho America/Boa_Vista America/Manaus America/Eirunepe America/Rio_Branco
5511,5512,5513,5514,5515,5516,5517,5518,5519 BR-SP America/Sao_Paulo
5521,5522,5524 BR-RJ America/Sao_Paulo
5527,5528 BR-ES America/Sao_Paulo
5531,5532,5533,5534,5535,5537,5538 BR-MG America/Sao_Paulo
5541,5542,5543,5544,5545,5546 BR-PR America/Sao_Paulo
5547,5548,5549 BR-SC America/Sao_Paulo
5551,5553,5554,5555 BR-RS America/Sao_Paulo
5561 BR America/Sao_Paulo
5562,5564 BR-GO America/Sao_Paulo
5563 BR-TO America/Araguaina
5565,5566 BR-MT America/Cuiaba
5567 BR-MS America/Campo_Grande
5568 BR-AC America/Rio_Branco
5569 BR-RO America/Porto_Velho
5571,5573,5574,5575,5577 BR-BA America/Bahia
5579 BR-SE America/Maceio
5581 BR-PE America/Recife America/Noronha
5582 BR-AL America/Maceio
5583 BR-PB America/Fortaleza
5584 BR-RN America/Fortaleza
5585,5588 BR-CE America/Fortaleza
5586,5589 BR-PI America/Fortaleza
5587 BR-PE America/Recife
5591,5593,5594 BR-PA America/Belem
5592 BR-AM America/Manaus
5595 BR-RR America/Boa_Vista
5596 BR-AP America/Belem
5597 BR-AM America/Manaus America/Eirunepe
5598,5599 BR-MA America/Fortaleza
56 CL America/Santiago America/Punta_Arenas Pacific/Easter
562,5633,5634,5635,5641,5642,5643,5645,5651,5652,5653,5655,5657,5658 CL America/Santiago
5663,5664,5665,5671,5672,5673,5675 CL America/Santiago
5632 CL America/Santiago Pacific/Easter
5661,5667 CL America/Punta_Arenas
57 CO America/Bogota
58 VE America/Caracas
590 GP America/Guadeloupe
591 BO America/La_Paz
592 GY America/Guyana
593 EC America/Guayaquil Pacific/Galapagos
5932,5933,5934,5936,5937 EC America/Guayaquil
594 GF America/Cayenne
595 PY America/Asuncion
596 MQ America/Martinique
597 SR America/Paramaribo
598 UY America/Montevideo
599 BQ America/Kralendijk
5999 CW America/Curacao

60 MY Asia/Kuala_Lumpur
61 AU Australia/Sydney Australia/Lord_Howe Australia/Melbourne Australia/Hobart Australia/Brisbane Australia/Adelaide Australia/Broken_Hill Australia/Darwin Australia/Perth Australia/Eucla
612 AU Australia/Sydney
6126563 AU-NSW Australia/Lord_Howe
613 AU Australia/Melbourne
61362,61363,61364 AU-TAS Australia/Hobart
617 AU Australia/Brisbane
61755,61756 AU Australia/Brisbane Australia/Sydney
618 AU Australia/Adelaide Australia/Broken_Hill Australia/Darwin Australia/Perth Australia/Eucla
61880 AU Australia/Adelaide Australia/Broken_Hill
61881,61882,61883,61884,61885,61886,61887 AU Australia/Adelaide
61889 AU-NT Australia/Darwin
61890 AU-WA Australia/Perth Australia/Eucla
61891,61892,61893,61894,61895,61896,61897,61898,61899 AU-WA Australia/Perth
6189162 CC Indian/Cocos
6189164 CX Indian/Christmas
62 ID Asia/Jakarta Asia/Makassar Asia/Jayapura
622,6231,6232,6233,6234,6235,6261,6262,6263,6264,6265,627 ID Asia/Jakarta
6236,6237,6238,624 ID Asia/Makassar
625 ID Asia/Jakarta Asia/Makassar
6256 ID Asia/Jakarta
6254,6255 ID Asia/Makassar
629 ID Asia/Jayapura
63 PH Asia/Manila
64 NZ Pacific/Auckland Pacific/Chatham
643,644,646,647,649 NZ Pacific/Auckland
643305 NZ Pacific/Chatham
65 SG Asia/Singapore
66 TH Asia/Bangkok
670 TL Asia/Dili
6723 NF Pacific/Norfolk
673 BN Asia/Brunei
674 NR Pacific/Nauru
675 PG Pacific/Port_Moresby Pacific/Bougainville
676 TO Pacific/Tongatapu
677 SB Pacific/Guadalcanal
678 VU Pacific/Efate
679 FJ Pacific/Fiji
680 PW Pacific/Palau
681 WF Pacific/Wallis
682 CK Pacific/Rarotonga
683 NU Pacific/Niue
685 WS Pacific/Apia
686 KI Pacific/Tarawa Pacific/Kanton Pacific/Kiritimati
687 NC Pacific/Noumea
688 TV Pacific/Funafuti
689 PF Pacific/Tahiti Pacific/Marquesas Pacific/Gambier
690 TK Pacific/Fakaofo
691 FM Pacific/Chuuk Pacific/Pohnpei Pacific/Kosrae
691320 FM Pacific/Pohnpei
691330,691350 FM Pacific/Chuuk
691370 FM Pacific/Kosrae
692 MH Pacific/Majuro

7 RU Europe/Kaliningrad Europe/Moscow Europe/Simferopol Europe/Samara Asia/Yekaterinburg Asia/Omsk Asia/Novosibirsk Asia/Irkutsk Asia/Yakutsk Asia/Vladivostok Asia/Magadan Asia/Kamchatka
7301,7395 RU Asia/Irkutsk
7302 RU Asia/Chita
7341,7846,7848 RU Europe/Samara
7342,7343,7345,7346,7347,7349,7351,7352,7353 RU Asia/Yekaterinburg
7365,7869,7978 RU Europe/Simferopol
7381 RU Asia/Omsk
7382 RU Asia/Tomsk
7383 RU Asia/Novosibirsk
7384 RU Asia/Novokuznetsk
7385,7388 RU Asia/Barnaul
7390,7391,7394 RU Asia/Krasnoyarsk
7401 RU Europe/Kaliningrad
7411 RU Asia/Yakutsk Asia/Vladivostok Asia/Srednekolymsk
7413 RU Asia/Magadan
7415 RU Asia/Kamchatka
7416 RU Asia/Yakutsk
7421,7423,7426 RU Asia/Vladivostok
7424 RU Asia/Sakhalin
7427 RU Asia/Anadyr
747,748,749 RU Europe/Moscow
7811,7812,7813,7814,7815,7816,7817,7818,7820,7821,7831,7833,7834,7835,7836,7841,7843,7847,7855 RU Europe/Moscow
7842 RU Europe/Ulyanovsk
7844 RU Europe/Volgograd
7845 RU Europe/Saratov
7851 RU Europe/Astrakhan
786,7871,7872,7873,7877,7878 RU Europe/Moscow
76,77 KZ Asia/Almaty Asia/Qyzylorda Asia/Qostanay Asia/Aqtobe Asia/Aqtau Asia/Atyrau Asia/Oral

81 JP Asia/Tokyo
82 KR Asia/Seoul
84 VN Asia/Ho_Chi_Minh
850 KP Asia/Pyongyang
852 HK Asia/Hong_Kong
853 MO Asia/Macau
855 KH Asia/Phnom_Penh
856 LA Asia/Vientiane
86 CN Asia/Shanghai
880 BD Asia/Dhaka
886 TW Asia/Taipei
90 TR Europe/Istanbul
91 IN Asia/Kolkata
92 PK Asia/Karachi
93 AF Asia/Kabul
94 LK Asia/Colombo
95 MM Asia/Yangon
960 MV Indian/Maldives
961 LB Asia/Beirut
962 JO Asia/Amman
963 SY Asia/Damascus
964 IQ Asia/Baghdad
965 KW Asia/Kuwait
966 SA Asia/Riyadh
967 YE Asia/Aden
968 OM Asia/Muscat
970 PS Asia/Gaza Asia/Hebron
971 AE Asia/Dubai
972 IL Asia/Jerusalem
973 BH Asia/Bahrain
974 QA Asia/Qatar
975 BT Asia/Thimphu
976 MN Asia/Ulaanbaatar Asia/Hovd
977 NP Asia/Kathmandu
98 IR Asia/Tehran
992 TJ Asia/Dushanbe
993 TM Asia/Ashgabat
994 AZ Asia/Baku
995 GE Asia/Tbilisi
996 KG Asia/Bishkek
998 UZ Asia/Tashkent
`;
