//! Names: which guest has which, on all nodes. What accounts have is in the database.

use std::{sync::LazyLock, time::Duration};

use redis::{RedisResult, Script};

use super::Broker;
use crate::{names::Name, person::PersonId};

/// Holds `name` for a guest for this long; gives the name as somebody else has it, if they do.
///
/// # Errors
///
/// If nobody knows just now.
pub(crate) async fn hold(
    broker: &Broker,
    name: &Name,
    person: PersonId,
    time: Duration,
) -> RedisResult<Option<Name>> {
    let mut script = HOLD.prepare_invoke();
    script.arg(millis(time));
    script.key(key(name)).arg(value(name, person));
    let asked = broker.ask(async |redis| script.invoke_async(redis).await);
    let others: Vec<String> = asked.await?;
    // A later version may have other names.
    let spelled = others.first().and_then(|other| other.split_once(' '));
    Ok(spelled.and_then(|(_, spelled)| Name::parse(spelled).ok()))
}

/// The same for many who hold theirs already.
///
/// # Errors
///
/// If nobody knows just now.
pub(crate) async fn renew(
    broker: &Broker,
    holders: &[(Name, PersonId)],
    time: Duration,
) -> RedisResult<()> {
    for some in holders.chunks(AT_ONCE) {
        let mut script = HOLD.prepare_invoke();
        script.arg(millis(time));
        for (name, person) in some {
            script.key(key(name)).arg(value(name, *person));
        }
        let asked = broker.ask(async |redis| script.invoke_async(redis).await);
        let _: Vec<String> = asked.await?;
    }
    Ok(())
}

/// Gives names back that these guests have.
///
/// # Errors
///
/// If nobody knows just now; the names are free in a while all the same.
pub(crate) async fn release(broker: &Broker, holders: &[(Name, PersonId)]) -> RedisResult<()> {
    for some in holders.chunks(AT_ONCE) {
        let mut script = RELEASE.prepare_invoke();
        for (name, person) in some {
            script.key(key(name)).arg(format!("{person} "));
        }
        let asked = broker.ask(async |redis| script.invoke_async(redis).await);
        let _: u64 = asked.await?;
    }
    Ok(())
}

/// The braces keep all names together where Redis is a cluster.
fn key(name: &Name) -> String {
    format!("fanfare:{{names}}:{}", name.key())
}

fn value(name: &Name, person: PersonId) -> String {
    format!("{person} {}", name.as_str())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Gives what others hold. Whoever holds a name longer already keeps it so.
static HOLD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local others = {}
for i, key in ipairs(KEYS) do
  local mine, held = ARGV[i + 1], redis.call('GET', key)
  if held and string.match(held, '^%S+') ~= string.match(mine, '^%S+') then
    others[#others + 1] = held
  elseif redis.call('PTTL', key) < tonumber(ARGV[1]) then
    redis.call('SET', key, mine, 'PX', ARGV[1])
  end
end
return others
",
    )
});

static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local n = 0
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held and string.sub(held, 1, #ARGV[i]) == ARGV[i] then
    n = n + redis.call('DEL', key)
  end
end
return n
",
    )
});

/// Names of one script: it must not hold up others.
const AT_ONCE: usize = 500;

#[cfg(test)]
mod tests {
    use fanfare_daemons::Redis;

    use super::*;

    const ANNA: PersonId = PersonId::Guest(1);
    const BERT: PersonId = PersonId::Guest(2);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_name_is_one_guests_until_they_give_it_back() {
        let redis = Redis::start().expect("it starts");
        let broker = Broker::connect(&redis.url().parse().unwrap())
            .await
            .unwrap();
        let name = |text: &str| Name::parse(text).unwrap();
        let (anna, spelled) = (name("Anna Straße"), name("ANNA STRASSE"));
        let hold = |name, person, time| hold(&broker, name, person, time);
        assert_eq!(hold(&anna, ANNA, LONG).await.unwrap(), None);
        assert_eq!(
            hold(&spelled, BERT, LONG).await.unwrap(),
            Some(anna.clone())
        );
        assert_eq!(hold(&spelled, ANNA, LONG / 2).await.unwrap(), None);
        let holders = [(spelled.clone(), BERT), (name("Other"), BERT)];
        renew(&broker, &holders, LONG).await.unwrap();
        release(&broker, &holders).await.unwrap();
        assert_eq!(
            hold(&spelled, BERT, LONG).await.unwrap(),
            Some(anna.clone())
        );
        let other = name("Other");
        assert_eq!(hold(&other, ANNA, LONG).await.unwrap(), None);
        release(&broker, &[(spelled.clone(), ANNA)]).await.unwrap();
        assert_eq!(hold(&spelled, BERT, LONG).await.unwrap(), None);
        assert_eq!(hold(&anna, ANNA, LONG).await.unwrap(), Some(spelled));
    }

    #[tokio::test]
    async fn a_name_that_nobody_renews_is_free_again() {
        let redis = Redis::start().expect("it starts");
        let broker = Broker::connect(&redis.url().parse().unwrap())
            .await
            .unwrap();
        let anna = Name::parse("Anna").unwrap();
        let short = Duration::from_millis(50);
        assert_eq!(hold(&broker, &anna, ANNA, short).await.unwrap(), None);
        let free = async { while hold(&broker, &anna, BERT, LONG).await.unwrap().is_some() {} };
        fanfare_testkit::within("it is free", free).await;
    }
}
