# Variables: $name $firm $case $date $summary $left $new $not_left $not_examined $cause $damage $measures $contact
first-subject = Important: your personal information was exposed
first-body =
    Dear { $name },

    We are writing to tell you that personal information held by { $firm } was exposed to a third party. We apologise sincerely for this. We are telling each affected customer individually which of their own information is concerned.

    What happened
    { $summary }

    Your information that was exposed
    { $left }

    Your information for which we found no exposure
    { $not_left }

    Information that our investigation could not examine
    { $not_examined }

    Cause
    { $cause }

    Possible consequences for you
    { $damage }

    What we have done
    { $measures }

    What you can do
    Please be wary of messages and calls that refer to this incident. We never ask for passwords, PINs or card numbers by mail or telephone.

    How to reach us
    { $contact }

    If we learn anything more that concerns you, we will let you know without delay. Please accept our apologies.

update-subject = Update: more of your personal information was exposed
update-body =
    Dear { $name },

    We have already told you that personal information held by { $firm } was exposed to a third party. Our investigation has since found that more of your own information is concerned. We apologise sincerely for the further concern this causes.

    What happened
    { $summary }

    Newly found to have been exposed
    { $new }

    All of your information that was exposed, including the above
    { $left }

    Your information for which we found no exposure
    { $not_left }

    Information that our investigation could not examine
    { $not_examined }

    Cause
    { $cause }

    Possible consequences for you
    { $damage }

    What we have done
    { $measures }

    What you can do
    Please be wary of messages and calls that refer to this incident. We never ask for passwords, PINs or card numbers by mail or telephone.

    How to reach us
    { $contact }

    If we learn anything more that concerns you, we will let you know without delay. Please accept our apologies.

mail-footer =
    --
    { $firm }
    Reference: { $case }
letter-footer = Reference: { $case }
honorific = { $name }
nothing = None.
item = - { $label }

kind-email = Mail address
kind-name = Name
kind-kana = Name in kana
kind-romaji = Name in Latin letters
kind-account_id = Customer or account number
kind-pan = Payment card number
kind-phone = Telephone number
kind-secret = Password, including in a protected form
kind-birth_date = Date of birth
kind-address = Postal address
kind-text = Other registered information
