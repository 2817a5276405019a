/**
 * Area codes of +1, by state and province: who uses them and which time zones they may lie in.
 * Written from NANPA's and CNA's area code assignments and the IANA time zone database. A state that
 * lies in two zones gives both, unless the area code lies in one; zones that keep the same time are
 * named by one of them. An area code that stands nowhere here may lie anywhere in +1.
 */

/** Zones by the letters the plan below uses. */
export const AMERICAN_ZONES: Readonly<Record<string, string>> = {
  E: "America/New_York",
  C: "America/Chicago",
  M: "America/Denver",
  P: "America/Los_Angeles",
  AZ: "America/Phoenix",
  AK: "America/Anchorage",
  ADAK: "America/Adak",
  HI: "Pacific/Honolulu",
  ID: "America/Boise",
  IN: "America/Indiana/Indianapolis",
  MI: "America/Detroit",
  NF: "America/St_Johns",
  A: "America/Halifax",
  ATL: "America/Puerto_Rico",
  ON: "America/Toronto",
  EST: "America/Panama",
  MB: "America/Winnipeg",
  SK: "America/Regina",
  AB: "America/Edmonton",
  BC: "America/Vancouver",
  MST: "America/Fort_Nelson",
  YT: "America/Whitehorse",
};

/** `COUNTRY[-STATE] zones: area codes`. */
export const AMERICAN_PLAN = `
US-AL C: 205 251 256 334 483 659 938
US-AK AK ADAK: 907
US-AZ AZ: 480 520 602 623
US-AZ AZ M: 928
US-AR C: 327 479 501 870
US-CA P: 209 213 279 310 323 341 350 357 369 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669
US-CA P: 707 714 738 747 760 805 818 820 831 837 840 858 909 916 925 949 951
US-CO M: 303 719 720 748 970 983
US-CT E: 203 475 860 959
US-DC E: 202 771
US-DE E: 302
US-FL E: 239 305 321 324 352 386 407 561 645 656 689 727 728 754 772 786 813 863 904 941 954
US-FL E C: 448 850
US-GA E: 229 404 470 478 678 706 762 770 912 943
US-HI HI: 808
US-IA C: 319 515 563 641 712
US-ID ID P: 208 986
US-IL C: 217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872
US-IN IN: 260 317 463 765
US-IN IN C: 219 574 812 930
US-KS C: 316 913
US-KS C M: 620 785
US-KY E: 502 859
US-KY E C: 270 364 606
US-LA C: 225 318 337 457 504 985
US-MA E: 339 351 413 508 617 774 781 857 978
US-MD E: 227 240 301 410 443 667
US-ME E: 207
US-MI MI: 231 248 269 313 517 586 616 679 734 810 947 989
US-MI MI C: 906
US-MN C: 218 320 507 612 651 763 924 952
US-MO C: 235 314 417 557 573 636 660 816 975
US-MS C: 228 471 601 662 769
US-MT M: 406
US-NC E: 252 336 472 704 743 828 910 919 980 984
US-ND C M: 701
US-NE C: 402 531
US-NE C M: 308
US-NH E: 603
US-NJ E: 201 551 609 640 732 848 856 862 908 973
US-NM M: 505 575
US-NV P: 702 725
US-NV P M: 775
US-NY E: 212 315 329 332 347 363 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 934
US-OH E: 216 220 234 283 326 330 380 419 436 440 513 567 614 740 937
US-OK C: 405 539 572 580 918
US-OR P: 503 971
US-OR P ID: 458 541
US-PA E: 215 223 267 272 412 445 484 570 582 610 717 724 814 835 878
US-RI E: 401
US-SC E: 803 821 839 843 854 864
US-SD C M: 605
US-TN C: 615 629 731 901 931
US-TN E: 865
US-TN E C: 423
US-TX C: 210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 936
US-TX C: 940 945 956 972 979
US-TX M: 915
US-UT M: 385 435 801
US-VA E: 276 434 540 571 686 703 757 804 826 948
US-VT E: 802
US-WA P: 206 253 360 425 509 564
US-WI C: 262 274 353 414 534 608 715 920
US-WV E: 304 681
US-WY M: 307

CA-AB AB: 368 403 587 780 825
CA-BC BC: 604
CA-BC BC AB MST: 236 250 257 672 778
CA-MB MB: 204 431 584
CA-NB A: 428 506
CA-NL NF A: 709 879
CA A: 782 902
CA-ON ON: 226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 905 942
CA-ON ON EST MB: 807
CA-QC ON: 263 354 438 450 468 514 579 819 873
CA-QC ON A ATL: 273 367 418 581
CA-SK SK AB: 306 474 639
CA YT AB MB EST ON: 867
CA NF A ATL ON EST MB SK AB BC MST YT: 600 622 633 644 655 677 688

AG America/Antigua: 268
AI America/Anguilla: 264
AS Pacific/Pago_Pago: 684
BB America/Barbados: 246
BM Atlantic/Bermuda: 441
BS America/Nassau: 242
DM America/Dominica: 767
DO America/Santo_Domingo: 809 829 849
GD America/Grenada: 473
GU Pacific/Guam: 671
JM America/Jamaica: 658 876
KN America/St_Kitts: 869
KY America/Cayman: 345
LC America/St_Lucia: 758
MP Pacific/Saipan: 670
MS America/Montserrat: 664
PR America/Puerto_Rico: 787 939
SX America/Lower_Princes: 721
TC America/Grand_Turk: 649
TT America/Port_of_Spain: 868
VC America/St_Vincent: 784
VG America/Tortola: 284
VI America/St_Thomas: 340
`;
